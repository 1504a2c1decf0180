import { render } from 'preact';
import { startActing } from './state/acting';
import { startDesk } from './state/desk';
import { startOpened } from './state/opened';
import { startTheme } from './state/theme';
import { DeskPage } from './views/desk/DeskPage';
import { startKeys } from './views/desk/keys';
import { lookOf } from './views/statuses';

startTheme();
startDesk();
startOpened((status) => lookOf(status).label);
startActing();
startKeys();
render(<DeskPage />, document.getElementById('page')!);
