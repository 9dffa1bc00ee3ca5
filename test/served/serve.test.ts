/**
 * The real gander-serve behind the client and the command line, compared with the engine on this machine: a pool, one on a T5, and
 * pools with an X-LoRA classifier.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GanderError } from '../../src/errors/errors.js';
import type { ServerInfo } from '../../src/requests/api.js';
import type { Engine } from '../../src/requests/ask.js';
import { createEngine } from '../../src/engine/local.js';
import { remoteClient } from '../../src/engine/remote.js';
import { decodeTrace } from '../../src/trace/file/file.js';
import type { Intervention, Trace } from '../../src/trace/model/trace.js';
import { xLoraPool } from '../engine/peftFixtures.js';
import { builtCli, largestDifference, root, tinyPool } from '../engine/support.js';
import { type Serving, startGanderServe } from '../servers/ganderServe.js';

const text = 'question: the farmer counts sheep near the old mill every morning. why?';
const target = 'because the gate was open and the cold wind moves it.';
const token = 'a-token-of-the-tests';
const strategy = { name: 'phatgoose', k: 2 } as const;
const folder = mkdtempSync(path.join(tmpdir(), 'gander-served-'));
const bin = builtCli();
const entry = path.join(path.dirname(bin), 'remote.cjs');

class Both {
  private constructor(
    readonly pool: string,
    readonly serving: Serving,
    readonly server: Engine,
    readonly here: Engine,
  ) {}

  static async open(pool: string): Promise<Both> {
    const serving = await startGanderServe(mkdtempSync(path.join(folder, 'server-')), token, pool);
    const { address } = serving;
    const server = remoteClient({ address, access: { token }, entry, patienceMs: 60_000 });
    const here = await createEngine({ pool, cache: path.join(folder, 'cache'), threads: 1, chunk: 64 });
    return new Both(pool, serving, server, here);
  }

  close(): void {
    this.server.dispose();
    this.here.dispose();
    this.serving.process.kill();
  }

  gander(...args: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly error: string }> {
    const all = [bin, ...args, '--engine', this.serving.address];
    const env = { ...process.env, GANDER_ENGINE_TOKEN: token };
    return new Promise((resolve) => {
      execFile(process.execPath, all, { cwd: root, env }, (failed, out, error) =>
        resolve({ code: failed ? Number(failed.code) : 0, out, error }),
      );
    });
  }
}

let pool: Both;
let pair: Both;
beforeAll(async () => {
  [pool, pair] = await Promise.all([Both.open(tinyPool), Both.open(path.join(root, 'test/fixtures/tiny-t5'))]);
});
afterAll(() => {
  pool.close();
  pair.close();
  rmSync(folder, { recursive: true, force: true });
});

const columns = ['ids', 'start', 'end'] as const;

/** Within the golden traces' own bounds, because the reference rounds differently from onnxruntime. */
function expectAlike(got: Trace, wanted: Trace, ofTokens: readonly (typeof columns)[number][] = columns): void {
  expect(got.sequences).toHaveLength(wanted.sequences.length);
  for (const [i, own] of wanted.sequences.entries()) {
    const told = got.sequences[i]!;
    expect([told.role, told.text, told.done]).toEqual([own.role, own.text, own.done]);
    for (const column of ofTokens) expect([...told.tokens[column]!], column).toEqual([...own.tokens[column]!]);
    expect(told.logProb === undefined).toBe(own.logProb === undefined);
    if (own.logProb) expect(largestDifference(told.logProb!, own.logProb)).toBeLessThan(1e-3);
  }
  expect(got.modules.map(({ path: at, stack, sequence }) => [at, stack, sequence])).toEqual(
    wanted.modules.map(({ path: at, stack, sequence }) => [at, stack, sequence]),
  );
  expect(got.blocks.map(({ from, to, sequence }) => [from, to, sequence])).toEqual(
    wanted.blocks.map(({ from, to, sequence }) => [from, to, sequence]),
  );
  for (const [i, block] of wanted.blocks.entries()) {
    expect([...got.blocks[i]!.chosen], `block ${i}`).toEqual([...block.chosen]);
    for (const column of ['score', 'weight'] as const)
      expect(largestDifference(got.blocks[i]![column]!, block[column]!), `${column} of block ${i}`).toBeLessThan(1e-4);
  }
}

describe('scores of gander-serve', () => {
  const texts = [text, 'def area(r):\n    return 3.14 * r ** 2\n', 'Über die Gänse: 日本 🪿 fly.'];

  it.each([{ name: 'phatgoose', k: 2 }, { name: 'base' }, { name: 'arrow', k: 3 }, { name: 'merged' }] as const)(
    'equal those of the engine on this machine ($name)',
    async (one) => {
      for (const read of texts) {
        const asked = { text: read, strategy: one };
        const [theirs, ours] = [await pool.server.score(asked), await pool.here.score(asked)];
        expect([theirs.bytes, theirs.tokens]).toEqual([ours.bytes, ours.tokens]);
        expect(Math.abs(theirs.bits - ours.bits)).toBeLessThan(1e-3 * ours.tokens);
      }
    },
  );

  it('are of the target, if the model takes one', async () => {
    const asked = { text, target, strategy };
    const [theirs, ours] = [await pair.server.score(asked), await pair.here.score(asked)];
    expect([theirs.bytes, theirs.tokens]).toEqual([ours.bytes, ours.tokens]);
    expect(Math.abs(theirs.bits - ours.bits)).toBeLessThan(1e-3 * ours.tokens);
    await expect(pair.server.score({ text, strategy })).rejects.toMatchObject({ code: 'request-invalid' });
  });

  it('are printed by the command line, also for a file longer than the context', async () => {
    const files = ['a.txt', 'b.txt'].map((name) => path.join(folder, name));
    writeFileSync(files[0]!, text);
    writeFileSync(files[1]!, `${text}\n`.repeat(20));
    const { code, out, error } = await pool.gander(
      'score',
      ...files,
      '--strategies',
      'base,phatgoose,single',
      '--json',
    );
    expect([code, error]).toEqual([0, '']);
    interface Scored {
      readonly strategy: string;
      readonly bits: number;
      readonly bytes: number;
    }
    const {
      files: each,
      all,
      source,
    } = JSON.parse(out) as {
      files: { scores: Scored[] }[];
      all: Scored[];
      source: object;
    };
    expect(source).toEqual({ kind: 'server', name: 'Tiny pool with random weights' });
    expect(all.map((one) => one.strategy)).toEqual([
      'base',
      'phatgoose:2',
      'single:Zeta',
      'single:alpha',
      'single:beta-10',
      'single:beta-2',
    ]);
    const own = await pool.here.score({ text, strategy: { name: 'base' } });
    expect(Math.abs(each[0]!.scores[0]!.bits - own.bits)).toBeLessThan(1e-3 * own.tokens);
    expect(each[1]!.scores[0]!.bits).toBeGreaterThan(10 * own.bits);
    expect((await pool.gander('score', files[0]!)).out).toMatch(/Bits per byte; less is better\.\n$/);
  });
});

describe('a pool with an X-LoRA classifier behind gander-serve', () => {
  const xLora = { name: 'x-lora' } as const;
  const read = 'the experts that know the text';
  const whatIfs: readonly Intervention[] = [
    { action: 'knock-out', expert: 'first', scope: { layer: 1 } },
    { action: 'logit-bias', expert: 'second', amount: 1.5, scope: { tokens: [[3, 9]] } },
    { action: 'force', expert: 'third', scope: { module: 'model.layers.0.mlp.up_proj', token: 5 } },
  ];

  it.each([
    ['llama', 'layerwise-top2'],
    ['phi', 'softmax-topk'],
    ['qwen3', 'scaling-pass'],
  ])('routes, continues, changes and attributes a text like the engine on this machine: %s, %s', async (...of) => {
    const scaled = await Both.open(xLoraPool(...of));
    try {
      const { can } = (await scaled.server.info()) as ServerInfo;
      expect(can.strategies[0]).toMatchObject(xLora);
      const [theirs, ours] = [
        await scaled.server.route({ text: read, strategy: xLora }),
        await scaled.here.route({ text: read, strategy: xLora }),
      ];
      expect(theirs.router).toEqual(ours.router);
      expectAlike(theirs, ours);
      const changed = { text: read, strategy: xLora, interventions: whatIfs };
      const told = await scaled.server.route(changed);
      expectAlike(told, await scaled.here.route(changed));
      expect(largestDifference(told.blocks[0]!.weight!, theirs.blocks[0]!.weight!)).toBeGreaterThan(0.1);
      const more = { ...changed, maxTokens: 5 };
      // A model of random numbers writes bytes that are no characters; the two do not tell the places of such tokens alike.
      expectAlike(await scaled.server.generate(more), await scaled.here.generate(more), ['ids']);
      const [change, own] = [await scaled.server.attribute(changed), await scaled.here.attribute(changed)];
      expect(change.experts.map(({ id }) => id)).toEqual(own.experts.map(({ id }) => id));
      expect(largestDifference(change.change, own.change)).toBeLessThan(2e-3);
    } finally {
      scaled.close();
    }
  });

  it('is refused by both in the same words if the classifier is damaged', async () => {
    const damaged = xLoraPool('llama', 'plain');
    const file = path.join(damaged, 'xlora/plain/adapter_config.json');
    const config = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...config, gating: 'new' }));
    const here = createEngine({ pool: damaged, cache: path.join(folder, 'cache'), threads: 1, chunk: 64 });
    const why = await here
      .then((engine) => engine.info())
      .then(
        () => undefined,
        (error: unknown) => error as GanderError,
      );
    expect(why).toMatchObject({ code: 'pool-invalid', message: expect.stringContaining('"gating"') as string });
    const starting = startGanderServe(mkdtempSync(path.join(folder, 'server-')), token, damaged);
    await expect(starting).rejects.toThrow(`cannot be served: ${why!.message} ${why!.remedy}`);
  });
});

describe('an encoder-decoder behind gander-serve', () => {
  const first = '00-P3Agnews';
  const whatIfs: readonly Intervention[] = [
    { action: 'knock-out', expert: first, scope: { stack: 'encoder' } },
    { action: 'force', expert: first, scope: { sequence: 1, token: 3 } },
  ];

  it('says that it takes a target', async () => {
    const { can, limits } = (await pair.server.info()) as ServerInfo;
    expect(can).toMatchObject({
      route: true,
      generate: true,
      whatIf: true,
      attribute: true,
      score: true,
      target: true,
    });
    expect(limits.k).toBe(2);
  });

  it('routes with a target like the engine on this machine', async () => {
    const asked = { text, target, strategy };
    const told = await pair.server.route(asked);
    expect(told.sequences.map(({ role, text: own }) => [role, own])).toEqual([
      ['input', text],
      ['output', target],
    ]);
    expectAlike(told, await pair.here.route(asked));
  });

  it('writes an output if none is given', async () => {
    const asked = { text, strategy, maxTokens: 6 };
    const [theirs, ours] = [await pair.server.route(asked), await pair.here.route(asked)];
    expect(theirs.sequences[1]!.done).toBeGreaterThan(1);
    expectAlike(theirs, ours);
    const generated = await pair.server.generate({ ...asked, maxTokens: 6 });
    expectAlike(generated, ours);
  });

  it('continues a target', async () => {
    const asked = { text, target: 'because the gate', strategy, maxTokens: 5 };
    const [theirs, ours] = [await pair.server.generate(asked), await pair.here.generate(asked)];
    expect(theirs.sequences[1]!.text).toMatch(/^because the gate/);
    expectAlike(theirs, ours);
  });

  it('takes what-ifs for a stack and for a token of the output', async () => {
    const asked = { text, target, strategy, interventions: whatIfs };
    const [theirs, ours] = [await pair.server.route(asked), await pair.here.route(asked)];
    expect(theirs.interventions).toEqual(ours.interventions);
    expectAlike(theirs, ours);
  });

  it('attributes the output', async () => {
    const asked = { text, target, strategy };
    const [theirs, ours] = [await pair.server.attribute(asked), await pair.here.attribute(asked)];
    expect(theirs.experts.map(({ id }) => id)).toEqual(ours.experts.map(({ id }) => id));
    expect(largestDifference(theirs.logProb, ours.logProb)).toBeLessThan(1e-3);
    expect(largestDifference(theirs.change, ours.change)).toBeLessThan(2e-3);
  });

  it('reports its progress', async () => {
    const done: number[] = [];
    await pair.server.route({ text, target, strategy }, { onProgress: (now) => done.push(now) });
    expect(done.length).toBeGreaterThan(1);
    expect(done).toEqual([...done].sort((a, b) => a - b));
  });

  it('is printed by the command line in two parts', async () => {
    const file = path.join(folder, 'pair.gander.safetensors');
    const { code, out, error } = await pair.gander('route', text, '--target', target, '--json', '--trace', file);
    expect([code, error]).toEqual([0, '']);
    const { sequences } = JSON.parse(out) as {
      sequences: { role: string; text: string; meanLogProb: number | null }[];
    };
    expect(sequences.map(({ role, text: own }) => [role, own])).toEqual([
      ['input', text],
      ['output', target],
    ]);
    expect(sequences[0]!.meanLogProb).toBeNull();
    expectAlike(decodeTrace(readFileSync(file)), await pair.here.route({ text, target, strategy }));
    expect((await pair.gander('route', text, '--target', target)).out).toMatch(/\ninput\n[^]*\noutput\n/);
  });

  it('generates, compares and attributes on the command line', async () => {
    const written = (await pair.here.route({ text, strategy, maxTokens: 5 })).sequences[1]!.text;
    expect((await pair.gander('generate', text, '-n', '5')).out).toBe(`${written}\n`);
    const whatIf = `${first}@stack=encoder`;
    const compared = await pair.gander('compare', text, '--target', target, '--knock-out', whatIf);
    expect([compared.code, compared.error]).toEqual([0, '']);
    expect(compared.out).toMatch(/encoder 0 .*\n[^]*output\n[^]*decoder 0/);
    const attributed = await pair.gander('attribute', text, '--target', target, '--json');
    expect((JSON.parse(attributed.out) as { output: string }).output).toBe(target);
  });
});
