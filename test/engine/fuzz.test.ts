/** A short part of `npm run fuzz`, always the same, and tests that its alarms work. */
import { closeSync, openSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildSync } from 'esbuild';
import { expect, it, onTestFinished } from 'vitest';
import { heldOutside } from '../../fuzz/opened.js';
import { ReaderRunner } from '../../fuzz/readerRunner.js';
import { run } from '../../fuzz/run.js';
import { count, emptyTally, tallyText } from '../../fuzz/tally.js';
import { Random } from '../../fuzz/random.js';
import { ServerRunner } from '../../fuzz/serverRunner.js';
import type { ServerTarget, Target } from '../../fuzz/targets/target.js';
import { targets } from '../../fuzz/targets/index.js';
import { Workspace } from '../../fuzz/workspace.js';
import { root, temporaryFolder, tinyPool } from './support.js';

/** A twentieth of the cases runs every time. `npm run fuzz` runs as many as one likes. */
const cases: Readonly<Record<string, number>> = {
  pools: 300,
  'encoder-decoders': 100,
  experts: 200,
  packed: 300,
  tokenizers: 60,
  graphs: 200,
  traces: 200,
  imports: 200,
  atlases: 200,
  servers: 160,
};
const seed = 7;

async function soundly(target: Target, from: number, to: number) {
  const tally = emptyTally(seed);
  const range = Array.from({ length: to - from }, (_, i) => from + i);
  for await (const one of run({ target, seed, root, cases: range })) count(tally, one);
  expect(tally.faults, tallyText(target.name, tally)).toEqual([]);
  expect(tally.cases).toBe(to - from);
  return tally;
}

it.each(targets)('$name', { timeout: 900_000 }, async (target) => {
  await soundly(target, 0, cases[target.name]! / 20);
});

it.each(targets)('$name, and many more', { timeout: 900_000, tags: ['slow'] }, async (target) => {
  const tally = await soundly(target, cases[target.name]! / 20, cases[target.name]!);
  // Not all refused and not all accepted: the cases are close to valid.
  expect(Object.keys(tally.outcomes).length, tallyText(target.name, tally)).toBeGreaterThan(1);
});

/** What a reader's child does with a message, instead of reading. */
function planted(body: string): { readonly runner: ReaderRunner; readonly workspace: Workspace } {
  const outfile = path.join(temporaryFolder(), 'planted.cjs');
  const watch = path.join(root, 'fuzz/children/watch.ts');
  const contents = `import ${JSON.stringify(watch)}; import * as fs from 'node:fs'; import * as promises from 'node:fs/promises';
process.on('message', async ({ folder, server }) => { ${body}; process.send({ outcome: 'read', milliseconds: 0, peak: 0 }); });`;
  buildSync({ stdin: { contents, resolveDir: root }, bundle: true, platform: 'node', format: 'cjs', outfile });
  const workspace = new Workspace(path.join(tinyPool, 'multitask'), [path.dirname(outfile)]);
  workspace.restore();
  const runner = new ReaderRunner(workspace, outfile);
  onTestFinished(() => {
    runner.close();
    workspace.remove();
  });
  return { runner, workspace };
}

const inside = "fs.readFileSync(folder + '/README.md')";
it.each([
  ['a read', `${inside}; fs.readFileSync('/etc/hosts')`, /opened outside: readFileSync .*hosts/],
  ['a link', `fs.symlinkSync('/etc/hosts', folder + '/link')`, /opened outside: symlinkSync .*hosts/],
  [
    'a promised copy',
    `await promises.copyFile(folder + '/README.md', folder + '/../out')`,
    /opened outside: copyFile .*out/,
  ],
  ['an open', `fs.closeSync(fs.openSync(folder + '/../elsewhere', 'w'))`, /opened outside: openSync .*elsewhere/],
  ['an abort', 'process.abort()', /the process ended \(SIGABRT/],
  [
    'an error without a code',
    "return process.send({ outcome: 'untyped', error: { code: 'internal', message: 'x', remedy: '' }, milliseconds: 0, peak: 0 })",
    /internal: x/,
  ],
])('raises an alarm for %s', async (_, body, alarm) => {
  const { problems } = await planted(body).runner.run({});
  expect(problems.join('; ')).toMatch(alarm);
});

it('raises no alarm for paths inside', async () => {
  expect((await planted(inside).runner.run({})).problems).toEqual([]);
});

it.each([
  [
    'raises an alarm for asking another server',
    'await (await fetch(server.address)).text()',
    ['another server was asked'],
  ],
  ['raises no alarm for a server that is only named', "'http://127.0.0.1:9'", []],
])('%s', async (_, to, problems) => {
  const { runner, workspace } = planted(`await fetch(${to}).catch(() => undefined)`);
  const target: ServerTarget = {
    name: 'planted',
    runner: 'server',
    begins: 'servers',
    answer: (__, ___, elsewhere) => ({
      how: () => 'it names another',
      handle: (____, response) => response.end(elsewhere),
      asking: { method: 'route', request: { text: 'a', maxTokens: 1 } },
    }),
  };
  const servers = new ServerRunner(target, workspace, runner);
  onTestFinished(() => servers.close());
  expect((await servers.run(new Random(1, 1))).problems).toEqual(problems);
});

it('sees files that native code holds open, if the system reports them', () => {
  const folder = realpathSync(temporaryFolder());
  const file = path.join(folder, 'held');
  const fd = openSync(file, 'w');
  onTestFinished(() => closeSync(fd));
  const here = [root, process.cwd(), realpathSync(tmpdir())].filter((each) => !folder.startsWith(each));
  const held = heldOutside(process.pid, here);
  if (process.platform === 'linux') expect(held).toContain(file);
  else expect(held).toEqual([]);
  expect(heldOutside(process.pid, [...here, folder])).not.toContain(file);
});
