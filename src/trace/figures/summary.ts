/** The figures that every summary of a trace shows: in the terminal, in JSON, Markdown and HTML. */
import {
  isSpecial,
  type Layer,
  layersOf,
  type SharedModules,
  sharedModules,
  type ModuleFilter,
  textTokens,
} from '../model/access.js';
import type { Interval } from '../../statistics/bootstrap.js';
import { type ChanceLoad, chanceLoadOf, load, type Load } from '../../statistics/load.js';
import { meanOf } from '../../statistics/mean.js';
import { slotsIn } from './colours.js';
import { certaintyByLayer, certaintyByToken } from './distribution.js';
import { allTokenShares, ranked } from './leaders.js';
import { scoreName, tokenText } from '../text/label.js';
import { type Measure, measureOf } from './measure.js';
import { isSmallSample, usage, usageByLayer, usageIntervals } from './usage.js';
import type { Sequence, Trace } from '../model/trace.js';

export interface ExpertSummary {
  readonly index: number;
  readonly id: string;
  readonly name: string;
  /** The expert's share of all choices of text tokens, its 95 % bootstrap interval, and what chance would give. */
  readonly share: number;
  readonly interval: Interval;
  readonly chance: number;
  /** Absent if the source gave no weights. */
  readonly weightShare?: number;
}

/** Figures of the experts, for modules that all have the same ones. */
export interface ExpertsSummary {
  readonly modules: SharedModules;
  readonly experts: readonly ExpertSummary[];
  /** [N] colours, from `slotsIn`. */
  readonly slots: Int16Array;
  readonly choices: number;
  readonly load: Load;
  readonly chanceLoad: ChanceLoad;
  /** What the tokens' shares are shares of. */
  readonly measure: Measure;
}

export interface TokenSummary {
  readonly index: number;
  readonly id?: number;
  readonly text: string;
  /** −1 for a token without text, or if the source does not say. */
  readonly start: number;
  readonly end: number;
  readonly special: boolean;
  readonly logProb: number;
  /** Means over the modules. */
  readonly entropy: number;
  readonly margin: number;
  /** Shares of the routing weight (or of `measure`) over all modules, largest first; absent if the modules do not share their experts. */
  readonly experts?: readonly { readonly index: number; readonly share: number }[];
}

export interface LayerSummary extends Layer {
  /** Means over its modules and the text's tokens. */
  readonly entropy: number;
  readonly margin: number;
  /** Load of the layer's own experts; absent if its modules do not share them. */
  readonly load?: Load;
  readonly chanceLoad?: ChanceLoad;
}

/** What a source may leave out, in the words of the exports. */
export type Part =
  'text' | 'weights' | 'affinities' | 'router logits' | 'contributions' | 'log-probabilities' | 'predictions';

export function partsOf(trace: Trace): Part[] {
  return ['text', 'weights', scoresOf(trace), 'contributions', 'log-probabilities', 'predictions'];
}

function scoresOf(trace: Trace): Part {
  return scoreName(trace) === 'affinity' ? 'affinities' : 'router logits';
}

export interface Summary {
  readonly sequence: Sequence;
  /** What the source did not give. */
  readonly absent: readonly Part[];
  /** Absent if each layer has its own experts: adding them up over layers would mean nothing. */
  readonly shared?: ExpertsSummary;
  readonly tokens: readonly TokenSummary[];
  readonly layers: readonly LayerSummary[];
  /** Number of text tokens, which the statistics count. */
  readonly textTokens: number;
  /** Mean log-probability of the text's tokens; NaN if unknown. */
  readonly meanLogProb: number;
  readonly smallSample: boolean;
}

/** One summary for each of the trace's sequences. */
export function summaries(trace: Trace): Summary[] {
  return trace.sequences.map((_, sequence) => summarise(trace, { sequence }));
}

/** For one sequence: the first, unless the filter names another. */
export function summarise(trace: Trace, filter: ModuleFilter = {}): Summary {
  const about = { ...filter, sequence: filter.sequence ?? 0 };
  const sequence = trace.sequences[about.sequence]!;
  const modules = sharedModules(trace, about);
  const shares = modules && allTokenShares(trace, modules);
  const certainty = certaintyByToken(trace, about);
  const text = textTokens(sequence);
  const { tokens, logProb } = sequence;
  return {
    sequence,
    absent: absentParts(trace, about),
    ...(modules && { shared: expertsSummary(trace, modules) }),
    tokens: Array.from({ length: sequence.done }, (_, t) => ({
      index: t,
      ...(tokens.ids && { id: tokens.ids[t]! }),
      text: tokenText(sequence, t),
      start: tokens.start?.[t] ?? -1,
      end: tokens.end?.[t] ?? -1,
      special: isSpecial(sequence, t),
      logProb: logProb?.[t] ?? NaN,
      entropy: certainty.entropy[t]!,
      margin: certainty.margin[t]!,
      ...(shares && {
        experts: leading(shares.subarray(t * modules.experts.length, (t + 1) * modules.experts.length)),
      }),
    })),
    layers: layerSummaries(trace, about),
    textTokens: text.length,
    meanLogProb: meanLogProbOf(sequence),
    smallSample: isSmallSample(text.length),
  };
}

/** Mean over the text's tokens, in nats per token; NaN if unknown. */
export function meanLogProbOf(sequence: Sequence): number {
  return meanOf(Array.from(textTokens(sequence), (t) => sequence.logProb?.[t] ?? NaN));
}

const leading = (shares: Float32Array) => ranked(shares).map((index) => ({ index, share: shares[index]! }));

function expertsSummary(trace: Trace, modules: SharedModules): ExpertsSummary {
  const u = usage(trace, modules);
  const intervals = usageIntervals(trace, modules);
  return {
    modules,
    experts: modules.experts.map(({ id, name }, index) => ({
      index,
      id,
      name,
      share: u.share[index]!,
      interval: intervals[index]!,
      chance: u.chance[index]!,
      ...(u.weightShare && { weightShare: u.weightShare[index]! }),
    })),
    slots: slotsIn(trace, modules.set),
    choices: u.choices,
    load: load(u.share, u.chance),
    chanceLoad: chanceLoadOf(u),
    measure: measureOf(trace, modules.modules, 'weight'),
  };
}

function layerSummaries(trace: Trace, filter: ModuleFilter): LayerSummary[] {
  const { entropy, margin } = certaintyByLayer(trace, filter);
  const usages = usageByLayer(trace, filter);
  return layersOf(trace, filter).map((layer, i) => {
    const u = usages[i];
    return {
      ...layer,
      entropy: entropy[i]!,
      margin: margin[i]!,
      ...(u && { load: load(u.share, u.chance), chanceLoad: chanceLoadOf(u) }),
    };
  });
}

/** What the source did not give for one sequence and its modules. */
export function absentParts(trace: Trace, filter: ModuleFilter = {}): Part[] {
  const { text, tokens, logProb, topIds } = trace.sequences[filter.sequence ?? 0]!;
  const blocks = trace.blocks.filter(({ sequence }) => sequence === (filter.sequence ?? 0));
  const scores = blocks.every(({ score }) => score);
  const given: Record<Part, boolean> = {
    text: text !== undefined || tokens.text !== undefined,
    weights: blocks.every(({ weight }) => weight),
    affinities: scores,
    'router logits': scores,
    contributions: blocks.every(({ contribution }) => contribution),
    'log-probabilities': logProb !== undefined,
    predictions: topIds !== undefined,
  };
  return partsOf(trace).filter((part) => !given[part]);
}

/** Why there are no shares over all layers. */
export const layerExpertsNote = 'Each layer has experts of its own; shares are not added up over layers.';
