/** What version 1 of the extension API promised of a trace, kept: one text, and the same experts at every module. */
import type { Expert, Intervention, Trace } from './trace/model/trace.js';
import { strategyOfRouter, type Strategy } from './strategies/index.js';

/** Axes: M modules, T tokens, N experts, k chosen, P predictions; arrays are row-major. */
export interface TraceVersion1 {
  /** The original text, exactly as given. */
  readonly text: string;
  readonly tokens: {
    /** [T] */
    readonly ids: Int32Array;
    /** [T] offsets into `text` in UTF-16 code units; −1 for a special token. */
    readonly start: Int32Array;
    readonly end: Int32Array;
    readonly text: readonly string[];
  };
  /** Tokens routed so far: T in a finished trace. Past it arrays hold NaN, or −1 in `chosen`. */
  readonly done: number;
  readonly modules: readonly { readonly path: string; readonly layer: number; readonly kind: string }[];
  readonly experts: readonly Expert[];
  readonly k: number;
  readonly predictions: number;
  /** [M, T, N] */
  readonly affinity?: Float32Array;
  /** [M, T, k] */
  readonly chosen: Int16Array;
  readonly weight: Float32Array;
  readonly contribution?: Float32Array;
  /** [T] */
  readonly logProb?: Float32Array;
  /** [T, P] */
  readonly topIds?: Int32Array;
  readonly topLogProb?: Float32Array;
  readonly topTokens?: readonly string[];
  readonly strategy: Strategy;
  readonly interventions: readonly Intervention[];
  readonly pool: { readonly id: string; readonly name: string; readonly hash: string };
  readonly tokenizer: { readonly hash: string };
  readonly versions: Readonly<Record<string, string>>;
  /** ISO 8601. */
  readonly created: string;
}

/** A trace of a pool on a causal model, over the same arrays; undefined for any other, for which version 1 has no words. */
export function inVersion1(trace: Trace): TraceVersion1 | undefined {
  const { source, sequences, blocks, expertSets, sites } = trace;
  const [sequence, block, set] = [sequences[0], blocks[0], expertSets[0]];
  const tokens = sequence?.tokens;
  if (
    sequences.length !== 1 ||
    blocks.length !== 1 ||
    expertSets.length !== 1 ||
    !sequence ||
    !block?.weight ||
    !set ||
    sequence.text === undefined ||
    !tokens?.ids ||
    !tokens.start ||
    !tokens.end ||
    !tokens.text
  )
    return undefined;
  const { ids, start, end, text } = tokens;
  const { logProb, topIds, topLogProb, topTokens } = sequence;
  return {
    text: sequence.text,
    tokens: { ids, start, end, text },
    done: sequence.done,
    modules: sites.map(({ path, layer, kind }) => ({ path, layer, kind })),
    experts: set.experts,
    k: block.k,
    predictions: sequence.predictions,
    chosen: block.chosen,
    weight: block.weight,
    ...(block.score && { affinity: block.score }),
    ...(block.contribution && { contribution: block.contribution }),
    ...(logProb && { logProb }),
    ...(topIds && { topIds }),
    ...(topLogProb && { topLogProb }),
    ...(topTokens && { topTokens }),
    strategy: strategyOfRouter(trace.router),
    interventions: trace.interventions,
    pool: { id: source.id ?? '', name: source.name, hash: source.hash ?? '' },
    tokenizer: { hash: source.tokenizer ?? '' },
    versions: source.versions,
    created: trace.created,
  };
}
