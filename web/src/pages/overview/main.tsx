import { render } from 'preact';
import { startTheme } from '../../views/theme';
import { startOverview } from './state/overview';
import { OverviewPage } from './views/OverviewPage';

startTheme();
startOverview();
render(<OverviewPage />, document.getElementById('page')!);
