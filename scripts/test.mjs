// npm test: the quick run. --all: everything that needs no torch. --everything: what .ci/run runs. With names: those parts,
// complete. --shard i/n: one share. Ends with the sum, and fails if a part failed or ran nothing.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { inLanes } from './lib/lanes.mjs';
import { main, run, say, temporary } from './lib/main.mjs';
import { artifacts, parts, sumOf } from './lib/parts.mjs';
import { needUv } from './lib/python.mjs';
import { parseScope, partsOf, runs } from './lib/scope.mjs';
import { needChromium } from './lib/system.mjs';
import { build, setup } from './setup.mjs';

/** @typedef {import('./lib/parts.mjs').Count} Count */
/** @typedef {import('./lib/parts.mjs').Part} Part */
/** @typedef {import('./lib/scope.mjs').Scope} Scope */

/** Prepares what several parts need, before the first begins. @param {readonly Part[]} of */
async function prepare(of) {
  const needs = new Set(of.flatMap((part) => part.needs));
  await setup();
  if (needs.has('python')) await needUv();
  if (needs.has('browser')) await needChromium();
  if (needs.has('dist')) await build();
  mkdirSync(artifacts, { recursive: true });
  // Whatever a test leaves behind is deleted with this folder. Its short name leaves room for the paths of VS Code's sockets.
  process.env['TMPDIR'] = temporary();
  if (!needs.has('vsix')) return;
  const { installVscodeWeb } = await import('./lib/vscode-web.mjs');
  const { packageFor, thisTarget } = await import('./package.mjs');
  process.env['GANDER_TEST_VSCODE'] = await installVscodeWeb();
  say('Packaging …');
  process.env['GANDER_TEST_VSIX'] = await packageFor(thisTarget);
}

/** A part's row in the table. @param {string} name @param {Count} count @param {number} seconds */
const row = (name, { passed, failed, skipped }, seconds) =>
  [
    name.padEnd(10),
    ...[`${passed} passed`, `${failed.length} failed`, skipped ? `${skipped} skipped` : '', `${seconds} s`].map(
      (cell) => cell.padStart(14),
    ),
  ].join('');

/** Lines about what the run left out, and which runs include it. @param {Scope} scope @param {ReadonlyMap<string, Count>} counts */
function leftOut({ run: asked, named, shard }, counts) {
  const lines = [];
  if (named.length === 0) {
    const slow = [...counts].filter(([, { skipped }]) => asked === 'quick' && skipped > 0);
    const some = Object.entries(parts).filter(([, { quick }]) => asked === 'quick' && quick);
    const whole = (/** @type {string} */ from) =>
      Object.entries(parts).flatMap(([name, part]) => (part.from === from ? [name] : []));
    if (asked === 'quick')
      lines.push(
        [
          ...slow.map(([name, { skipped }]) => `${skipped} slow tests of ${name}`),
          ...some.map(([name, { quick }]) => `${name}, except ${quick}`),
          ...whole('all'),
        ].join('; ') + `  (${runs.all})`,
      );
    if (asked !== 'everything') lines.push(`${whole('everything').join('; ')}  (${runs.everything})`);
  }
  if (shard) lines.push(`the other ${shard.count - 1} of ${shard.count} shares  (--shard)`);
  return lines;
}

await main(async () => {
  const scope = parseScope(process.argv.slice(2));
  const asked = partsOf(parts, scope);
  const much = scope.run === 'quick' && scope.named.length === 0 ? 'quick' : 'whole';
  const { shard } = scope;
  await prepare(asked.map(([, part]) => part));

  /** @type {Map<string, Count>} */
  const counts = new Map();
  /** @type {Map<string, number>} */
  const took = new Map();
  const script = path.join(import.meta.dirname, 'lib/part.mjs');
  const begun = Date.now();
  await inLanes(
    asked.map(([name, { cores, after }]) => ({ name, cores, ...(after && { after }) })),
    async ({ name }, alone) => {
      const file = path.join(artifacts, `${name}.count.json`);
      rmSync(file, { force: true });
      say(alone ? `\n── ${name}` : `\n── ${name} started; its output follows when it has ended`);
      const start = Date.now();
      const args = [script, name, much, file, ...(shard ? [`${shard.index}/${shard.count}`] : [])];
      const { text } = await run(process.execPath, args, { output: alone ? 'show' : 'capture' });
      if (!alone) process.stdout.write(`\n── ${name}\n${text}`);
      /** @type {Count} */
      const count = existsSync(file)
        ? JSON.parse(readFileSync(file, 'utf8'))
        : { passed: 0, failed: ['ended without a count'], skipped: 0 };
      const none = count.passed + count.failed.length + count.skipped === 0 && !shard;
      counts.set(name, none ? { ...count, failed: ['no test ran'] } : count);
      took.set(name, Math.round((Date.now() - start) / 1000));
    },
  );

  const sum = sumOf([...counts.values()]);
  console.log();
  for (const [name] of asked) console.log(row(name, counts.get(name) ?? sumOf([]), took.get(name) ?? 0));
  console.log(row('', sum, Math.round((Date.now() - begun) / 1000)));
  const missing = leftOut(scope, counts);
  if (missing.length) console.log(`\nNot run: ${missing.join('\n         ')}`);
  // By name and at the end, where a log that was cut short still has them.
  for (const [name, { failed }] of counts)
    for (const one of failed) console.log(`Failed: ${name}: ${one.length > 300 ? `${one.slice(0, 300)} …` : one}`);
  console.log(`${sum.passed} passed, ${sum.failed.length} failed`);
  return sum.failed.length ? 1 : 0;
});
