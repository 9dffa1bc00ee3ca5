/** How a model answers requests, whatever its family. */
import { GanderError } from '../errors/errors.js';
import type { LensColumn, RouteRequest, Score } from '../requests/api.js';
import type { RequestName } from '../requests/table.js';
import { attributedExperts } from '../trace/figures/attributed.js';
import type { Trace } from '../trace/model/trace.js';
import type { Answers, LensRun, Model, Turn } from './families/family.js';
import { logProbsOf, type Prepared, prefill, readsOf, recorderOf, type TextRead, tokensOf } from './prepared.js';
import type { Step } from './runtime/causal.js';
import type { Stopped } from './stopped.js';
import { textTokens, type TextTokens } from './runtime/tokenizer.js';
import { greedy, type Steps, write } from './write.js';

type Answer<N extends RequestName> = NonNullable<Answers<RequestName>[N]>;

/** @param chunk how many tokens are run at once */
export function answersOf(model: Model, chunk: number, stopped: Stopped): Answers<RequestName> {
  return {
    info: () => model.info(),

    route: route(model, chunk, stopped),

    generate: async (request, turn) => {
      const prepared = await prepare(model, request, turn);
      return (await write(prepared, request, { chunk, ...turn })).trace;
    },

    attribute: attribute(model, chunk),

    score: async (request, turn) => {
      const prepared = await prepare(model, request, turn);
      if (prepared.isOpen)
        throw new GanderError(
          'request-invalid',
          'An encoder-decoder can only score an output that is given.',
          'Give a target.',
        );
      const total = tokensOf(prepared);
      let passed = 0;
      const logProb = await logProbsOf(prepared, chunk, turn.check, (count) =>
        turn.onProgress?.((passed += count), total),
      );
      const { text, tokens } = prepared.reads.at(-1)!;
      return scoreOf(text, tokens, logProb);
    },

    lens: lens(model, chunk),

    ...model.answers,
  };
}

const route =
  (model: Model, chunk: number, stopped: Stopped): Answer<'route'> =>
  async (request, turn) => {
    const begun = stopped.take(model, request);
    const prepared = begun?.prepared ?? (await prepare(model, request, turn));
    if (prepared.isOpen) return (await write(prepared, greedy(request), { chunk, ...turn })).trace;
    const { check, onProgress, onPartial } = turn;
    const { reads } = prepared;
    const [total, last] = [tokensOf(prepared), reads.length - 1];
    const recorder = begun?.recorder ?? recorderOf(prepared, reads[last]!.tokens.count);
    let reached = begun?.reached;
    const show = async () => {
      const passed = reads.reduce((sum, _, sequence) => sum + recorder.done(sequence), 0);
      onProgress?.(passed, total);
      if (passed < total) await onPartial?.(recorder.trace(reads));
    };
    try {
      if (begun) await show();
      await prefill(
        prepared,
        chunk,
        check,
        async (step, count, sequence) => {
          recorder.add(step, count, sequence);
          reached = { done: sequence === last ? recorder.done() : 0, past: step.past };
          await show();
        },
        reached,
      );
    } catch (error) {
      stopped.keep({ request, prepared, recorder, reached }, error);
      throw error;
    }
    return recorder.trace(reads);
  };

const attribute =
  (model: Model, chunk: number): Answer<'attribute'> =>
  async (request, { check, onProgress, onPartial }) => {
    const { prepared, trace } = await traced(model, request, { chunk, check });
    const experts = attributedExperts(trace, request);
    const logProb = trace.sequences.at(-1)!.logProb!;
    const t = logProb.length;
    const each = tokensOf(prepared);
    let passed = 0;
    const progress = (count: number) => onProgress?.((passed += count), each * (experts.length + 1));
    progress(each);
    const change = new Float32Array(t * experts.length);
    for (const [e, { id }] of experts.entries()) {
      const without = prepared.run.with({ action: 'knock-out', expert: id, scope: {} });
      const other = await logProbsOf({ ...prepared, run: without }, chunk, check, progress);
      const own = other.map((x, i) => x - logProb[i]!);
      own.forEach((x, i) => (change[i * experts.length + e] = x));
      await onPartial?.({ experts: [experts[e]!], logProb, change: own, of: experts.length });
    }
    return { experts, logProb, change };
  };

const lens =
  (model: Model, chunk: number): Answer<'lens'> =>
  async (request, { check, onProgress }) => {
    const { token } = request;
    const reads = await readsWritten(model, request, { chunk, check });
    const { ids, count } = reads.at(-1)!.tokens;
    if (token >= count)
      throw new GanderError(
        'request-invalid',
        `The text has ${count} tokens; there is no token ${token}.`,
        `Choose one from 0 to ${count - 1}.`,
      );
    const next = token + 1 < count ? ids[token + 1]! : undefined;
    await check();
    const { layers, routed, without } = await model.beginLens(request, { token, next: next ?? 0 });
    // In the same chunks as the run, so that each layer computes exactly what it did there.
    const read = readTo(reads, token, chunk);
    const runs = 'none' in without ? [routed] : [routed, without];
    const total = runs.length * tokensOf({ reads: read });
    let passed = 0;
    const columnOf = async (run: LensRun): Promise<LensColumn> => {
      const step = await prefill({ run, reads: read }, chunk, check, (_, tokens) =>
        onProgress?.((passed += tokens), total),
      );
      return lensColumn(step, model, next);
    };
    return {
      token,
      ids: ids.slice(0, token + 2),
      layers,
      routed: await columnOf(routed),
      without: 'none' in without ? without : await columnOf(without),
    };
  };

async function prepare(
  model: Model,
  request: RouteRequest,
  { check }: Pick<Turn<'route'>, 'check'>,
): Promise<Prepared> {
  const reads = await readsOf(model, request);
  await check();
  return { model, ...reads, run: await model.begin(request) };
}

/** What the model reads; an output that was left open is generated first. */
async function readsWritten(model: Model, request: RouteRequest, steps: Steps): Promise<readonly TextRead[]> {
  const { reads, isOpen } = await readsOf(model, request);
  if (!isOpen) return reads;
  const prepared = { model, reads, isOpen, run: await model.begin(request) };
  return (await write(prepared, greedy(request), steps)).reads;
}

/** The prepared request with its trace; an output that was left open is the one that was generated. */
async function traced(
  model: Model,
  request: RouteRequest,
  steps: Steps,
): Promise<{ readonly prepared: Prepared; readonly trace: Trace }> {
  const prepared = await prepare(model, request, steps);
  if (prepared.isOpen) {
    const { trace, reads } = await write(prepared, greedy(request), steps);
    return { trace, prepared: { ...prepared, reads, isOpen: false } };
  }
  const recorder = recorderOf(prepared, prepared.reads.at(-1)!.tokens.count);
  await prefill(prepared, steps.chunk, steps.check, (step, count, sequence) => recorder.add(step, count, sequence));
  return { prepared, trace: recorder.trace(prepared.reads) };
}

/** What is read up to and including the token's chunk. */
function readTo(reads: readonly TextRead[], token: number, chunk: number): readonly TextRead[] {
  const size = Math.max(1, chunk);
  const { text, tokens } = reads.at(-1)!;
  const { ids, start, end, text: written } = tokens;
  const to = Math.min(tokens.count, (Math.floor(token / size) + 1) * size);
  const first = {
    ids: ids.subarray(0, to),
    start: start.subarray(0, to),
    end: end.subarray(0, to),
    text: written.slice(0, to),
  };
  return [...reads.slice(0, -1), { text, tokens: textTokens(first) }];
}

function lensColumn({ logProb, topIds, topLogProb }: Step, { tokenizer }: Model, next: number | undefined): LensColumn {
  const ids = Int32Array.from(topIds, Number);
  return {
    ...(next !== undefined && { logProb }),
    predictions: ids.length / logProb.length,
    topIds: ids,
    topLogProb,
    topTokens: Array.from(ids, (id) => tokenizer.readable(id)),
  };
}

/** Only predicted tokens count: all but the first, and of those only the ones that stand for text. */
function scoreOf(text: string, tokens: TextTokens, logProb: Float32Array): Score {
  let bits = 0;
  let count = 0;
  let bytes = 0;
  let covered = tokens.start[0]! < 0 ? 0 : tokens.end[0]!;
  for (let i = 1; i < logProb.length; i++) {
    if (tokens.start[i]! < 0) continue;
    bits -= logProb[i]! / Math.LN2;
    count++;
    // A character spread over several tokens is counted once.
    if (tokens.end[i]! > covered) {
      bytes += Buffer.byteLength(text.slice(covered, tokens.end[i]));
      covered = tokens.end[i]!;
    }
  }
  return { bits, bytes, tokens: count };
}
