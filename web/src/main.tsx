import { render } from 'preact';
import { startSession } from './state/session';
import { startTheme } from './state/theme';
import { Page } from './views/Page';

startTheme();
startSession();
render(<Page />, document.getElementById('page')!);
