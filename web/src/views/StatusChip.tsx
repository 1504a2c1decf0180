import { Icon } from './Icon';
import { lookOf } from './statuses';

export function StatusChip({ status }: { status: string }) {
  const { label, icon, mood } = lookOf(status);
  return (
    <span class={`status status-${mood}`}>
      <Icon name={icon} />
      {label}
    </span>
  );
}
