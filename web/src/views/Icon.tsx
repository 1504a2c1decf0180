// Drawn here, in the text's colour: every state differs by shape as well as by colour.
// Each is made anew where it is shown: an element that all rows share leads from each to the others, and so keeps rows that
// are long gone.

const PATHS = {
  dot: () => <circle cx="8" cy="8" r="4.5" fill="currentColor" stroke="none" />,
  waiting: () => <circle cx="8" cy="8" r="5.25" />,
  later: () => <path d="M8 4.5V8l2.5 1.5M8 2.75a5.25 5.25 0 1 0 0 10.5 5.25 5.25 0 0 0 0-10.5Z" />,
  held: () => <path d="M6 4v8M10 4v8" />,
  working: () => <path d="M8 2.75A5.25 5.25 0 1 1 2.75 8" />,
  again: () => <path d="M12.5 5.5A5.25 5.25 0 1 0 13.25 8M12.75 2.5v3.25H9.5" />,
  done: () => <path d="m3.5 8.5 3 3 6-7" />,
  partly: () => <path d="M3.5 12.5 12.5 3.5M3 6l1.5 1.5L7 4.5M9.5 12h4" />,
  failed: () => <path d="M8 3v6M8 12v.5" />,
  refused: () => <path d="m4 4 8 8M12 4l-8 8" />,
  blocked: () => <path d="M4.3 4.3l7.4 7.4M8 2.75a5.25 5.25 0 1 0 0 10.5 5.25 5.25 0 0 0 0-10.5Z" />,
  closed: () => <path d="M4 8h8" />,
  up: () => <path d="m4 9.5 4-4 4 4" />,
  down: () => <path d="m4 6.5 4 4 4-4" />,
  pause: () => <path d="M6 4v8M10 4v8" />,
  play: () => <path d="M5.5 3.5v9l7-4.5Z" fill="currentColor" />,
  sun: () => <path d="M8 5.25a2.75 2.75 0 1 0 0 5.5 2.75 2.75 0 0 0 0-5.5ZM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1" />,
  moon: () => <path d="M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5Z" />,
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class={`icon icon-${name}`} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <g fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round">
        {PATHS[name]()}
      </g>
    </svg>
  );
}

/** A parcel that sends: the product's mark. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
      <g fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">
        <rect x="3" y="11" width="10" height="10" rx="2" />
        <path d="M8 11v4M8 6.5A9.5 9.5 0 0 1 17.5 16M8 2a14 14 0 0 1 14 14" />
      </g>
    </svg>
  );
}
