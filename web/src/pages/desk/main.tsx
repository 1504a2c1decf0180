import { render } from 'preact';
import { lookOf } from '../../views/statuses';
import { startTheme } from '../../views/theme';
import { startActing } from './state/acting';
import { startDesk } from './state/desk';
import { startOpened } from './state/opened';
import { DeskPage } from './views/DeskPage';
import { startKeys } from './views/keys';

startTheme();
startDesk();
startOpened((status) => lookOf(status).label);
startActing();
startKeys();
render(<DeskPage />, document.getElementById('page')!);
