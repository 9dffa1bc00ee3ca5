/**
 * The table of test/fixtures/phatgoose-t5: what the authors' released PHATGOOSE code computed on their checkpoint, compared with
 * the engine on the pool that was imported from the checkpoint (test/fixtures/tiny-t5).
 */
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Engine } from '../../src/requests/ask.js';
import { composePair } from '../../src/engine/families/encoder-decoder/compose.js';
import { PairSession } from '../../src/engine/families/encoder-decoder/session.js';
import type { Composed } from '../../src/engine/families/lora-pool/compose.js';
import { PoolRecording, inputAndOutput } from '../../src/engine/families/lora-pool/recording.js';
import type { RoutedStep } from '../../src/engine/families/lora-pool/session.js';
import { StrategySteering } from '../../src/engine/families/lora-pool/steering.js';
import { graphParts } from '../../src/engine/families/lora-pool/plan.js';
import { ExpertNumbers } from '../../src/engine/families/lora-pool/stored.js';
import { createEngine } from '../../src/engine/local.js';
import { Cache } from '../../src/engine/runtime/cache.js';
import { Recorder } from '../../src/engine/runtime/recorder.js';
import { poolHash } from '../../src/pool/hash.js';
import { readPool } from '../../src/pool/pool.js';
import { routerOf, type Strategy } from '../../src/strategies/index.js';
import { rowsAt } from '../../src/trace/model/access.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { largestDifference, root, temporaryFolder } from './support.js';
import { Tensors } from './tensors.js';

const fixture = path.join(root, 'test/fixtures/phatgoose-t5');
const folder = path.join(root, 'test/fixtures/tiny-t5');
const golden = new Tensors(path.join(fixture, 'golden.safetensors'));
const variants = new Tensors(path.join(fixture, 'variants.safetensors'));
const texts = JSON.parse(golden.header.metadata.get('texts')!) as [text: string, target: string][];
const vocabulary = 300;
const bound = 2e-5;

const pool = readPool(folder);
const cache = new Cache(temporaryFolder(), 8);
const ids = pool.experts.map(({ id }) => id);

const strategies: Readonly<Record<string, (text: number) => Strategy>> = {
  phatgoose_top2: () => ({ name: 'phatgoose', k: 2 }),
  phatgoose_top1: () => ({ name: 'phatgoose', k: 1 }),
  avgact_top2: () => ({ name: 'average-activation', k: 2 }),
  arrow_top2: () => ({ name: 'arrow', k: 2 }),
  single: () => ({ name: 'single', expert: ids[Number(golden.header.metadata.get('single_expert'))]! }),
  base: () => ({ name: 'base' }),
  merged_outer: () => ({ name: 'merged' }),
  merged_factors: () => ({ name: 'merged-factors' }),
  retrieval: (t) => ({ name: 'retrieval', expert: ids[golden.floats(`retrieval.t${t}.onehot`).indexOf(1)]! }),
};

let session: PairSession;
/** In the authors' code, arrow divides by 10·√d_in, and ours does not; the vectors given here make up for it. */
let theirArrow: PairSession;
beforeAll(async () => {
  const composed = composePair(pool, poolHash(pool, cache), cache, ['merged-factors']);
  session = await PairSession.open(composed, 1);
  const other = composePair(pool, poolHash(pool, cache), new Cache(temporaryFolder()), []);
  giveArrow(other);
  theirArrow = await PairSession.open(other, 1);
});
afterAll(async () => {
  vi.restoreAllMocks();
  await session.release();
  await theirArrow.release();
});

/** Uses the authors' vectors instead of those computed from the experts on first use. */
function giveArrow({ entry, plan }: Composed): void {
  const n = plan.experts.length;
  const given = new Map<string, Float32Array[]>();
  graphParts(plan).forEach(({ groups: [first, last], rows: [from] }, graph) => {
    let row = from;
    const vectors = plan.routers.slice(first, last).map(({ dIn, columns }) => {
      const out = new Float32Array(dIn * columns);
      for (let module = 0; module < columns / n; module++, row++) {
        const name = plan.modules[plan.rows[row]!]!.path;
        for (let e = 0; e < n; e++)
          variants
            .floats(`arrow.${name}._addons.router.expert_embeddings__${e}`)
            .forEach((x, d) => (out[d * columns + module * n + e] = x / (10 * Math.sqrt(dIn))));
      }
      return out;
    });
    given.set(path.join(entry.folder, ['encoder', 'cross', 'decoder'][graph]!), vectors);
  });
  const own = ExpertNumbers.prototype.vectors; // eslint-disable-line @typescript-eslint/unbound-method
  vi.spyOn(ExpertNumbers.prototype, 'vectors').mockImplementation(function (this: ExpertNumbers, router, ...rest) {
    const ours = own.call(this, router, ...rest);
    const theirs = router === 'arrow' ? given.get(this.folder) : undefined;
    expect(theirs?.map(({ length }) => length) ?? []).toEqual(theirs ? ours.map(({ length }) => length) : []);
    return theirs ?? ours;
  });
}

/** The trace of one text, and the logits after each token of its output, [T, V]. */
async function run(
  name: string,
  t: number,
  chunk = 1,
): Promise<{ readonly trace: Trace; readonly logits: Float32Array }> {
  const used = name === 'arrow_top2' ? theirArrow : session;
  const { plan } = used;
  const strategy = strategies[name]!(t);
  const steering = new StrategySteering(plan, strategy, []);
  const recording = new PoolRecording(
    {
      plan,
      experts: pool.experts,
      router: routerOf(strategy),
      interventions: [],
      source: { kind: 'pool', name: '', versions: {} },
      vectors: steering.router,
      k: steering.width,
    },
    inputAndOutput,
  );
  const [input, output] = [golden.ids(`t${t}.encoder_ids`), golden.ids(`t${t}.decoder_input_ids`)];
  const recorder = new Recorder(recording, [input.length, output.length], String);
  let step: RoutedStep = await used.encode(input, steering);
  recorder.add(step, input.length, 0);
  const logits: number[] = [];
  for (let done = 0; done < output.length; done += chunk) {
    const part = output.subarray(done, done + chunk);
    step = await used.run({ ids: part, targets: part, done, past: step.past }, steering);
    recorder.add(step, part.length, 1);
    logits.push(...step.last);
  }
  const read = (of: Int32Array) => ({ text: '', tokens: { count: of.length, ids: of } });
  return { trace: recorder.trace([read(input), read(output)]), logits: Float32Array.from(logits) };
}

describe.each(Object.keys(strategies))('%s', (name) => {
  it.each([0, 1, 2])('gives the authors’ logits for text %i', async (t) => {
    const { trace, logits } = await run(name, t);
    expect(largestDifference(logits, golden.floats(`${name}.t${t}.logits`))).toBeLessThan(bound);
    if (golden.has(`${name}.t${t}.${trace.modules[0]!.path}.scores`)) expectSameChoices(trace, `${name}.t${t}`);
  });
});

it('gives the same whether the output is read in one piece or several', async () => {
  for (const chunk of [5, 64]) {
    const { trace, logits } = await run('phatgoose_top2', 0, chunk);
    expectSameChoices(trace, 'phatgoose_top2.t0');
    const last = golden.floats('phatgoose_top2.t0.logits').subarray(-vocabulary);
    expect(largestDifference(logits.subarray(-vocabulary), last)).toBeLessThan(bound);
  }
});

/** At every module, scores and weights within the bound and the same indexes; only arrow has scores closer than float32 can distinguish. */
function expectSameChoices(trace: Trace, prefix: string): void {
  const near = prefix.startsWith('arrow') ? 1e-6 : 0;
  expect(trace.modules).toHaveLength(36);
  trace.modules.forEach(({ path: module }, s) => {
    const { score, chosen, weight, experts, k, tokens } = rowsAt(trace, s);
    const [scores, wanted] = [
      golden.floats(`${prefix}.${module}.scores`),
      golden.floats(`${prefix}.${module}.indices`),
    ];
    expect(largestDifference(score!, scores), module).toBeLessThan(bound);
    expect(largestDifference(weight!, golden.floats(`${prefix}.${module}.weights`)), module).toBeLessThan(bound);
    expect(wanted).toHaveLength(tokens * k);
    wanted.forEach((e, at) => {
      const line = Math.floor(at / k) * experts;
      const gap = Math.abs(scores[line + e]! - scores[line + chosen[at]!]!);
      if (chosen[at] !== e && !(gap < near)) expect(chosen[at], `${module} ${at}`).toBe(e);
    });
  });
}

describe('from text to trace', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ pool: folder, cache: cache.folder, threads: 1, chunk: 8 });
  });
  afterAll(() => engine.dispose());

  it.each([0, 1, 2])('splits text and target %i like the authors’ tokenizer', async (t) => {
    const [text, target] = texts[t]!;
    const trace = await engine.route({ text, target, strategy: strategies['phatgoose_top2']!(t) });
    const [input, output] = trace.sequences;
    expect(input).toMatchObject({ role: 'input', text, predictions: 0, done: input!.tokens.count });
    expect(output).toMatchObject({ role: 'output', text: target, done: output!.tokens.count });
    expect(input!.tokens.ids).toEqual(golden.ids(`t${t}.encoder_ids`));
    expect(output!.tokens.ids).toEqual(golden.ids(`t${t}.decoder_input_ids`));
    expect(trace.router).toEqual({ name: 'phatgoose', k: 2, scoring: 'softmax', params: { epsilon: 1e-6 } });
    expectSameChoices(trace, `phatgoose_top2.t${t}`);
    expectLogProbs(output!.logProb!, golden.floats(`phatgoose_top2.t${t}.logits`), output!.tokens.ids!);
  });

  it.each(['phatgoose_top2', 'phatgoose_top1', 'single', 'base', 'merged_outer'])(
    'writes what they wrote: %s',
    async (name) => {
      for (const [t, [text]] of texts.entries()) {
        // Their length includes the start token.
        const trace = await engine.route({ text, strategy: strategies[name]!(t), maxTokens: 19 });
        const written = [...golden.ids(`${name}.t${t}.generated_ids`)];
        const end = written.indexOf(1);
        expect([...trace.sequences[1]!.tokens.ids!]).toEqual(end < 0 ? written : written.slice(0, end));
      }
    },
  );
});

/** Each token's log-probability, from the logits before it. */
function expectLogProbs(logProb: Float32Array, logits: Float32Array, output: Int32Array): void {
  expect(logProb[0]).toBeNaN();
  for (let i = 1; i < output.length; i++) {
    const row = logits.subarray((i - 1) * vocabulary, i * vocabulary);
    const sum = row.reduce((total, x) => total + Math.exp(x), 0);
    expect(logProb[i]).toBeCloseTo(row[output[i]!]! - Math.log(sum), 4);
  }
}
