// An element that is made once, at the level of its module, leads from each place where it is shown to the others: rows that
// went hours ago would be kept by it.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

/** The text of a module without the bodies of its functions and classes, which end with a brace at the line's begin. */
function moduleLevel(text: string): string {
  return text.replace(/^(?:export )?(?:default )?(?:async )?(?:function|class)\b[^]*?^}/gm, '');
}

/** Elements that are made there; one behind an arrow is made each time that it is asked for. */
function elements(text: string): string[] {
  const found = moduleLevel(text).match(/(?<=[\s(:=,])<[A-Za-z][^\n]*/g) ?? [];
  return found.filter((element) => !moduleLevel(text).includes(`=> ${element}`));
}

test('no element is made at the level of a module', () => {
  assert.deepEqual(elements('const ICONS = {\n  dot: <circle r="4" />,\n};\nfunction A() {\n  return <p />;\n}\n'), ['<circle r="4" />,']);
  assert.deepEqual(elements('const ICONS = {\n  dot: () => <circle r="4" />,\n} as Record<string, () => Node>;'), []);
  const files = readdirSync('src', { recursive: true }).map(String).filter((name) => name.endsWith('.tsx'));
  assert.ok(files.length > 10);
  const found = files.flatMap((name) => elements(readFileSync(`src/${name}`, 'utf8')).map((element) => `${name}: ${element}`));
  // A page's own element is shown once.
  assert.deepEqual(found.filter((where) => !where.includes('main.tsx')), []);
});
