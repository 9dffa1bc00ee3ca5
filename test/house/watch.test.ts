// npm run watch: what it builds, which tests it runs, and that it leaves nothing behind.
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isAlive, until } from '../engine/support.js';
import { Checkout } from './checkout.js';

let checkout: Checkout;
let temp: string;
beforeAll(() => {
  checkout = new Checkout();
  temp = path.join(checkout.dir, 't');
  mkdirSync(temp);
  checkout.write('src/extension.ts', "import { geese } from './errors/geese.js';\nconsole.log(geese);\n");
  for (const name of ['geese', 'ducks']) {
    checkout.write(`src/errors/${name}.ts`, `export const ${name} = 'at rest';\n`);
    checkout.write(
      `test/unit/${name}.test.ts`,
      `import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ${name} } from '../../src/errors/${name}.js';
writeFileSync('t/${name}', [process.pid, process.ppid].join());
it('are at rest', () => expect(${name}).toBe('at rest'));
`,
    );
  }
});
afterAll(() => checkout.remove());

test('builds what a change affects, runs the affected tests, and leaves nothing behind', async () => {
  const run = checkout.spawn('watch.mjs', [], { TMPDIR: temp, NO_COLOR: '1' });
  await run.wrote(/^built .*extension\.cjs/m);
  await run.wrote(/Test Files {2}2 passed/);
  await run.wrote(/Waiting for file changes/);

  const before = run.text.length;
  checkout.write('src/errors/geese.ts', "export const geese = 'in the air';\n");
  await run.wrote(/Test Files {2}1 failed \(1\)/);
  await run.wrote(/^built extension\.cjs$/m);
  const dist = path.join(checkout.dir, 'dist');
  expect(readFileSync(path.join(dist, 'extension.cjs'), 'utf8')).toContain('in the air');
  // A debugger finds the sources by these.
  const { sources } = JSON.parse(readFileSync(path.join(dist, 'extension.cjs.map'), 'utf8')) as { sources: string[] };
  expect(sources.map((source) => path.resolve(dist, source))).toContain(path.join(checkout.dir, 'src/extension.ts'));
  expect(run.text.slice(before)).toContain('test/unit/geese.test.ts');
  expect(run.text.slice(before)).not.toContain('ducks');

  // A file that is in a bundle twice is reported once.
  checkout.write('src/errors/geese.ts', 'export const = 1;\n');
  await run.wrote(/^not built: extension\.cjs$/m);
  expect(run.text.match(/✘ \[ERROR\]/g)).toHaveLength(1);

  const pids = ['geese', 'ducks'].flatMap((name) => readFileSync(path.join(temp, name), 'utf8').split(','));
  run.child.kill('SIGINT');
  expect((await run.end).code).toBe(130);
  await until(() => !pids.some((pid) => isAlive(Number(pid))));
  expect(readdirSync(temp).sort()).toEqual(['ducks', 'geese']);
});
