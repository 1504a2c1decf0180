// Compiles every *.test.ts below a folder with esbuild and runs them with node's own test runner.
// usage: node scripts/test.mjs FOLDER [node options, e.g. --test-name-pattern=feed]
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const [folder = 'src', ...options] = process.argv.slice(2);
const root = new URL('..', import.meta.url).pathname;
const out = join(root, '.test-build', folder);

const entries = readdirSync(join(root, folder), { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('.test.ts'))
  .sort();

rmSync(out, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: entries.map((name) => join(folder, name)),
  outdir: out,
  outbase: folder,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  sourcemap: 'inline',
  logLevel: 'warning',
});

const files = entries.map((name) => join(out, name.replace(/\.ts$/, '.mjs')));
const run = spawnSync(process.execPath, ['--enable-source-maps', '--test', '--test-reporter=spec', ...options, ...files], {
  cwd: root,
  stdio: 'inherit',
  // Figures and times are written by the locale's rules.
  env: { ...process.env, LC_ALL: 'en_US.UTF-8', TZ: 'UTC' },
});
process.exit(run.status ?? 1);
