import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { manifestWith } from '../../../scripts/tools.mjs';
import { GanderError } from '../../../src/errors/errors.js';
import { findShared } from '../../../src/files/shared.js';
import { abilities } from '../../../src/requests/description.js';
import { weigh } from '../../../src/routing/service.js';
import { failure } from '../../../src/tools/errors.js';
import { tools } from '../../../src/tools/index.js';
import type { OfferedModel } from '../../../src/tools/model.js';
import type { Reach } from '../../../src/tools/reach.js';
import { KeptRuns } from '../../../src/tools/runs.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { fabricate, without } from '../trace/fabricate.js';

const root = path.resolve(import.meta.dirname, '../../..');

/** A model that is always in the middle of the same run. */
function modelOf(trace: Trace): OfferedModel {
  return {
    id: 'made-up',
    source: {
      describe: () =>
        Promise.resolve({
          name: 'Made up',
          can: { ...abilities({}, true), strategies: [] },
          experts: trace.expertSets[0]!.experts,
          limits: {},
          warnings: [],
        }),
      route: ({ interventions = [] }) => Promise.resolve({ ...trace, interventions }),
    },
  };
}

const reachOf = (trace: Trace, runs = new KeptRuns()): Reach => ({
  models: () => [modelOf(trace)],
  runs,
  readText: () => Promise.reject(new Error('not shared')),
  atlasOf: () => Promise.resolve(undefined),
});

async function ask(reach: Reach, name: string, given: object): Promise<string> {
  const found = tools.find((tool) => tool.name === name)!;
  const call = { signal: new AbortController().signal, progress: () => undefined };
  return found.call(given, reach, call).catch(failure);
}

describe('the tools', () => {
  it('are in the manifest as they are', () => {
    for (const [name, text] of Object.entries(manifestWith(tools)))
      expect(readFileSync(path.join(root, name), 'utf8'), 'run node scripts/tools.mjs').toBe(text);
  });

  it('have a line of the documentation each', () => {
    const page = readFileSync(path.join(root, 'docs/agents.md'), 'utf8');
    for (const { name } of tools) expect(page).toMatch(new RegExp(`^\\| \`${name}\` \\|`, 'm'));
  });

  it('keep runs up to a size, the last used longest, and say when one is gone', async () => {
    const trace = fabricate();
    const runs = new KeptRuns(2.5 * weigh(trace));
    const reach = reachOf(trace, runs);
    for (const text of ['one', 'two']) await ask(reach, 'route_text', { text });
    expect(await ask(reach, 'explain_token', { run: 1, token: 1 })).toContain('in run 1: ');
    expect(await ask(reach, 'route_text', { text: 'three' })).toContain('It is kept as run 3.');
    expect(await ask(reach, 'explain_token', { run: 1, token: 1 })).toContain('in run 1: ');
    expect(await ask(reach, 'explain_token', { run: 2, token: 1 })).toBe(
      'Run 2 is no longer kept: newer runs took its place. Route its text again with route_text, and use the new number.',
    );
    const none = reachOf(trace, new KeptRuns(1));
    expect(await ask(none, 'route_text', { text: 'one' })).toContain('too large to be kept');
  });

  it('say what a source does not give, and go by choices where there are no weights', async () => {
    const reach = reachOf(without(fabricate({ bare: true }), 'weight'));
    const route = await ask(reach, 'route_text', { text: 'one' });
    expect(route).toMatch(/Not known here: weights, affinities/);
    expect(route).toContain('of its choices: this source gives no weights');
    const token = await ask(reach, 'explain_token', { run: 1, token: 1 });
    for (const said of [route, token]) expect(said).not.toMatch(/NaN|undefined|null/);
  });

  it('say what a token’s shares are by chance, among the experts that it could choose', async () => {
    const byChance = async (scope: object | undefined) => {
      const interventions = scope ? [{ action: 'knock-out', expert: 'expert-1', scope } as const] : [];
      const reach = reachOf(fabricate());
      const [model] = reach.models();
      const route = () => Promise.resolve(fabricate({ interventions }));
      const changed = { ...reach, models: () => [{ ...model!, source: { ...model!.source, route } }] };
      await ask(changed, 'route_text', { text: 'one' });
      return ask(changed, 'explain_token', { run: 1, token: 1 });
    };
    expect(await byChance(undefined)).toContain('By chance: 20.0 %.');
    expect(await byChance({})).toContain('By chance: 25.0 %, among the 4 experts that it could choose.');
    const part = await byChance({ layer: 0 });
    expect(part).toContain('| by chance |');
    expect(part).toMatch(/\| `expert-0` \| [\d.]+ % \| 22.5 % \|/);
    expect(part).toContain('By chance: even draws from the experts that it could choose at each module.');
  });

  it('knock nothing out where the source cannot', async () => {
    const trace = fabricate();
    const [model] = reachOf(trace).models();
    const describe = async () => {
      const source = await model!.source.describe();
      return { ...source, can: { ...source.can, whatIf: { reason: 'The server cannot.' } } };
    };
    const reach = { ...reachOf(trace), models: () => [{ ...model!, source: { ...model!.source, describe } }] };
    await ask(reach, 'route_text', { text: 'one' });
    expect(await ask(reach, 'knock_out_expert', { run: 1, expert: 'expert-1' })).toBe(
      'The server cannot. Route the text with a model on this machine.',
    );
  });

  it('write no cell that breaks its table', async () => {
    const trace = fabricate({ tokens: ['<|start|>', '|', '`a`', '\n| b |', '\\'] });
    const route = await ask(reachOf(trace), 'route_text', { text: 'one' });
    const tables = route.split('\n').filter((line) => line.startsWith('|'));
    for (const line of tables) {
      const cells = line.match(/(?<!\\)\|/g)!.length;
      expect([5, 7]).toContain(cells);
    }
  });

  it('answer an error of any kind with what to do', () => {
    expect(failure(new Error('odd'))).toBe('odd Please report this with the Gander log.');
    expect(failure(new GanderError('text-too-long', 'Too long.', 'Select less.'))).toBe(
      'Too long. Route a part: a shorter text, or first_line and last_line of a file.',
    );
  });
});

describe('a shared file', () => {
  it('is found where it is, and nothing else is', async () => {
    const base = realpathSync(mkdtempSync(path.join(tmpdir(), 'gander-shared-')));
    onTestFinished(() => rmSync(base, { recursive: true, force: true }));
    const [inside, outside] = [path.join(base, 'in'), path.join(base, 'in-not')];
    for (const folder of [inside, outside]) mkdirSync(folder);
    writeFileSync(path.join(inside, 'a.txt'), 'a');
    writeFileSync(path.join(inside, '..a.txt'), 'a');
    writeFileSync(path.join(outside, 'b.txt'), 'b');
    symlinkSync(path.join(outside, 'b.txt'), path.join(inside, 'b.txt'));
    symlinkSync(path.join(inside, 'a.txt'), path.join(inside, 'c.txt'));
    symlinkSync(inside, path.join(base, 'link'));
    const a = { path: path.join(inside, 'a.txt') };
    expect(await findShared('a.txt', [inside])).toEqual(a);
    expect(await findShared(a.path, [inside])).toEqual(a);
    expect(await findShared(path.join(inside, 'c.txt'), [inside])).toEqual(a);
    expect(await findShared('..a.txt', [inside])).toEqual({ path: path.join(inside, '..a.txt') });
    // A folder may itself be given by a link.
    expect(await findShared(path.join(base, 'link/a.txt'), [path.join(base, 'link')])).toEqual(a);
    expect(await findShared(a.path, [path.join(base, 'link')])).toEqual(a);
    const refused = ['b.txt', '../in-not/b.txt', path.join(outside, 'b.txt'), path.join(outside, 'nothing')];
    for (const name of refused) expect(await findShared(name, [inside])).toEqual({ why: 'outside' });
    expect(await findShared('nothing', [inside])).toEqual({ why: 'missing' });
    expect(await findShared('a.txt', [])).toEqual({ why: 'outside' });
  });
});
