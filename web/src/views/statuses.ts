// How a status looks and reads.

import type { Status } from '../protocol/orders';
import type { IconName } from './Icon';

export type Mood = 'quiet' | 'active' | 'good' | 'careful' | 'bad';

export interface Look {
  label: string;
  icon: IconName;
  mood: Mood;
}

const LOOKS: Readonly<Record<Status, Look>> = {
  pending: { label: 'Pending', icon: 'waiting', mood: 'quiet' },
  scheduled: { label: 'Scheduled', icon: 'later', mood: 'quiet' },
  held: { label: 'Held', icon: 'held', mood: 'careful' },
  retrying: { label: 'Retrying', icon: 'again', mood: 'careful' },
  processing: { label: 'Processing', icon: 'working', mood: 'active' },
  expedited: { label: 'Expedited', icon: 'working', mood: 'active' },
  priority_processing: { label: 'Priority', icon: 'working', mood: 'active' },
  completed: { label: 'Completed', icon: 'done', mood: 'good' },
  partially_fulfilled: { label: 'Part fulfilled', icon: 'partly', mood: 'good' },
  fulfilled: { label: 'Fulfilled', icon: 'done', mood: 'good' },
  failed: { label: 'Failed', icon: 'failed', mood: 'bad' },
  rejected: { label: 'Rejected', icon: 'refused', mood: 'bad' },
  cancelled: { label: 'Cancelled', icon: 'closed', mood: 'quiet' },
};

export function lookOf(status: string): Look {
  return (LOOKS as Record<string, Look>)[status] ?? { label: status, icon: 'waiting', mood: 'quiet' };
}
