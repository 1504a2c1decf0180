// Writes a .br and a .gz beside each text of the built pages: the server sends the one that a browser takes.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

/** Less than this fits into one packet as it is. */
const LEAST_BYTES = 1_000;
const folder = new URL('../dist/', import.meta.url).pathname;

for (const name of readdirSync(folder, { recursive: true }).map(String)) {
  if (!/\.(js|css|html|svg|json)$/.test(name)) continue;
  const path = join(folder, name);
  const text = readFileSync(path);
  if (text.length < LEAST_BYTES) continue;
  writeFileSync(`${path}.br`, brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
  writeFileSync(`${path}.gz`, gzipSync(text, { level: 9 }));
}
