/** What an expert on trial did to a text, from two runs: without the expert and with it. */
import { type Layer, layersOf } from '../trace/model/access.js';
import { alignTraces } from '../trace/alignment/align.js';
import { alignedMeans } from '../trace/figures/logProbs.js';
import { type ExpertSummary, summarise } from '../trace/figures/summary.js';
import type { Trace } from '../trace/model/trace.js';
import { usageByLayer } from '../trace/figures/usage.js';

export interface Trial {
  readonly id: string;
  readonly name: string;
  /** One for each sequence of the text that it takes part in. */
  readonly sequences: readonly TriedSequence[];
  /** Means over the text's tokens that both runs have, nats per token; for an encoder-decoder, those of its output. */
  readonly logProb: { readonly without: number; readonly with: number };
}

export interface TriedSequence extends Pick<ExpertSummary, 'share' | 'interval' | 'chance'> {
  readonly role: string;
  /** Text tokens. */
  readonly tokens: number;
  readonly smallSample: boolean;
  readonly layers: readonly (Layer & { readonly share: number; readonly chance: number })[];
}

/** @param id of the expert, which only the second trace has @returns undefined if it takes no part even there */
export function trialOf(id: string, without: Trace, tried: Trace): Trial | undefined {
  const sequences = tried.sequences.flatMap((_, sequence) => sequenceOf(id, tried, sequence) ?? []);
  const name = tried.expertSets.flatMap(({ experts }) => experts).find((expert) => expert.id === id)?.name;
  if (name === undefined || sequences.length === 0) return undefined;
  // The tokens that a model generated need not be those that its text is tokenized to.
  const last = tried.sequences.length - 1;
  const aligned = alignTraces(without, tried, last);
  const { from, to } = alignedMeans(without.sequences[last]!, tried.sequences[last]!, aligned);
  return { id, name, sequences, logProb: { without: from, with: to } };
}

function sequenceOf(id: string, trace: Trace, sequence: number): TriedSequence | undefined {
  const { shared, textTokens, smallSample } = summarise(trace, { sequence });
  const expert = shared?.experts.find((one) => one.id === id);
  if (!expert) return undefined;
  const { index, share, interval, chance } = expert;
  const usages = usageByLayer(trace, { sequence });
  return {
    role: trace.sequences[sequence]!.role,
    share,
    interval,
    chance,
    tokens: textTokens,
    smallSample,
    layers: layersOf(trace, { sequence }).map((layer, i) => ({
      ...layer,
      share: usages[i]?.share[index] ?? NaN,
      chance: usages[i]?.chance[index] ?? NaN,
    })),
  };
}
