import { connection, demo, retryNow, ticks } from '../state/session';
import { theme, toggleTheme } from '../state/theme';
import type { Connection } from '../stream/link';
import { Icon, Mark, type IconName } from './Icon';

const CONNECTIONS: Readonly<Record<Connection, { icon: IconName; label: string }>> = {
  connecting: { icon: 'working', label: 'Connecting' },
  connected: { icon: 'dot', label: 'Connected' },
  reconnecting: { icon: 'working', label: 'Reconnecting' },
  offline: { icon: 'blocked', label: 'Offline' },
};

export function Header() {
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
      <div class="header-tools">
        <Watching />
        <ConnectionState />
        <ThemeToggle />
      </div>
    </header>
  );
}

function Watching() {
  const last = ticks.value.at(-1);
  return last && connection.value === 'connected' ? <span class="watching">{last.connections} watching</span> : null;
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
