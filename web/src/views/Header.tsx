import { connection, demo, retryNow, watching } from '../live/store';
import type { Connection } from '../stream/link';
import { Icon, Mark, type IconName } from './Icon';
import { theme, toggleTheme } from './theme';

const CONNECTIONS: Readonly<Record<Connection, { icon: IconName; label: string }>> = {
  connecting: { icon: 'working', label: 'Connecting' },
  connected: { icon: 'dot', label: 'Connected' },
  reconnecting: { icon: 'working', label: 'Reconnecting' },
  offline: { icon: 'blocked', label: 'Offline' },
};

/** The pages that lead to one another. */
const PAGES = [
  { path: './', name: 'Overview' },
  { path: 'desk', name: 'Desk' },
] as const;

interface Props {
  page: (typeof PAGES)[number]['path'];
}

export function Header({ page }: Props) {
  return (
    <header class="header">
      <div class="brand">
        <Mark />
        <span class="brand-name">Ordercast</span>
        {demo.value && (
          <span class="demo-badge" title="This server makes up orders to show itself">
            DEMO
          </span>
        )}
      </div>
      <nav class="pages" aria-label="Pages">
        {PAGES.map(({ path, name }) => (
          <a key={path} href={path} aria-current={path === page ? 'page' : undefined}>
            {name}
          </a>
        ))}
      </nav>
      <div class="header-tools">
        <Watching />
        <ConnectionState />
        <ThemeToggle />
      </div>
    </header>
  );
}

function Watching() {
  const isKnown = watching.value !== null && connection.value === 'connected';
  return isKnown ? <span class="watching">{watching.value} watching</span> : null;
}

function ConnectionState() {
  const { icon, label } = CONNECTIONS[connection.value];
  return (
    <>
      <span class={`connection connection-${connection.value}`} role="status">
        <Icon name={icon} />
        {label}
      </span>
      {connection.value === 'offline' && (
        <button type="button" class="button-quiet" onClick={retryNow}>
          Try now
        </button>
      )}
    </>
  );
}

function ThemeToggle() {
  const dark = theme.value === 'dark';
  const label = dark ? 'Use light colours' : 'Use dark colours';
  return (
    <button type="button" class="button-icon" onClick={toggleTheme} aria-label={label} title={label}>
      <Icon name={dark ? 'sun' : 'moon'} />
    </button>
  );
}
