// Fails when the JavaScript a visitor downloads grows past the budget.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const BUDGET_BYTES = 60 * 1000;
const folder = new URL('../dist/', import.meta.url).pathname;

const sizes = readdirSync(folder, { recursive: true })
  .map(String)
  .filter((name) => /\.(js|css)$/.test(name))
  .map((name) => ({ name, bytes: gzipSync(readFileSync(join(folder, name)), { level: 9 }).length }));

for (const { name, bytes } of sizes) console.log(`${(bytes / 1000).toFixed(1).padStart(6)} kB gzip  ${name}`);

const scripts = sizes.filter(({ name }) => name.endsWith('.js'));
const total = scripts.reduce((sum, { bytes }) => sum + bytes, 0);
console.log(`${(total / 1000).toFixed(1).padStart(6)} kB gzip  JavaScript in all (budget ${BUDGET_BYTES / 1000} kB)`);
if (scripts.length === 0 || total > BUDGET_BYTES) {
  console.error(scripts.length === 0 ? 'No JavaScript found: run `npm run build` first.' : 'Over the budget.');
  process.exit(1);
}
