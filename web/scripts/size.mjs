// Fails when the JavaScript that the first view of a page needs grows past the budget.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const BUDGET_BYTES = 60 * 1000;
const folder = new URL('../dist/', import.meta.url).pathname;
const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1).padStart(6)} kB gzip`;
const sizeOf = (name) => gzipSync(readFileSync(join(folder, name)), { level: 9 }).length;

/** The scripts that a page loads at once: those that it names, and what they import without being asked to wait. */
function scriptsOf(page) {
  const found = new Set();
  const follow = (name) => {
    if (found.has(name)) return;
    found.add(name);
    const text = readFileSync(join(folder, name), 'utf8');
    const here = name.slice(0, name.lastIndexOf('/') + 1);
    for (const [, path] of text.matchAll(/(?:from|import)\s*"(\.[^"]+\.js)"/g)) follow(join(here, path));
  };
  const html = readFileSync(join(folder, page), 'utf8');
  for (const [, path] of html.matchAll(/(?:src|href)="(?:\.\/)?([^"]+\.js)"/g)) follow(path);
  return [...found];
}

const pages = readdirSync(folder).filter((name) => name.endsWith('.html'));
let isOver = pages.length === 0;
for (const page of pages) {
  const scripts = scriptsOf(page);
  const total = scripts.reduce((sum, name) => sum + sizeOf(name), 0);
  for (const name of scripts) console.log(`${kilobytes(sizeOf(name))}  ${name}`);
  console.log(`${kilobytes(total)}  first view of ${page} (budget ${BUDGET_BYTES / 1000} kB)`);
  isOver ||= scripts.length === 0 || total > BUDGET_BYTES;
}
if (isOver) {
  console.error(pages.length === 0 ? 'No pages found: run `npm run build` first.' : 'Over the budget, or a page without scripts.');
  process.exit(1);
}
