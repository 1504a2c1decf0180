// Dark or light: the system's wish, unless the visitor chose.

import { computed, signal } from '@preact/signals';

export type Theme = 'light' | 'dark';

const STORAGE_KEY = 'ordercast.theme';

const darkWish = matchMedia('(prefers-color-scheme: dark)');
const systemTheme = signal<Theme>(darkWish.matches ? 'dark' : 'light');
const chosenTheme = signal<Theme | null>(remembered());

export const theme = computed<Theme>(() => chosenTheme.value ?? systemTheme.value);

export function startTheme(): void {
  darkWish.addEventListener('change', ({ matches }) => {
    systemTheme.value = matches ? 'dark' : 'light';
  });
  apply();
}

export function toggleTheme(): void {
  chosenTheme.value = theme.value === 'dark' ? 'light' : 'dark';
  apply();
  try {
    localStorage.setItem(STORAGE_KEY, chosenTheme.value);
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
}

function apply(): void {
  if (chosenTheme.value) document.documentElement.dataset['theme'] = chosenTheme.value;
}

function remembered(): Theme | null {
  try {
    const value = localStorage.getItem(STORAGE_KEY);
    return value === 'light' || value === 'dark' ? value : null;
  } catch {
    return null;
  }
}
