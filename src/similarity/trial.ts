/** What an expert that was tried did to a text: two runs of it, without the expert and with it. */
import { Mean } from '../statistics/mean.js';
import { isSpecial, type Layer, layersOf } from '../trace/access.js';
import { alignTraces } from '../trace/align.js';
import { type ExpertSummary, summarise } from '../trace/summary.js';
import type { Trace } from '../trace/trace.js';
import { usageByLayer } from '../trace/usage.js';

export interface Trial {
  readonly id: string;
  readonly name: string;
  /** Of each of the text's sequences. */
  readonly sequences: readonly TriedSequence[];
  /** Means of the text's tokens that both runs have, nats a token; of an encoder-decoder, of its output. */
  readonly logProb: { readonly without: number; readonly with: number };
}

export interface TriedSequence extends Pick<ExpertSummary, 'share' | 'interval' | 'chance'> {
  readonly role: string;
  /** Text tokens. */
  readonly tokens: number;
  readonly smallSample: boolean;
  readonly layers: readonly (Layer & { readonly share: number; readonly chance: number })[];
}

/** @param id of the expert, which only the second of the traces has; undefined where it takes no part even there */
export function trialOf(id: string, without: Trace, tried: Trace): Trial | undefined {
  const sequences = tried.sequences.flatMap((_, sequence) => sequenceOf(id, tried, sequence) ?? []);
  const name = tried.expertSets.flatMap(({ experts }) => experts).find((expert) => expert.id === id)?.name;
  if (name === undefined || sequences.length === 0) return undefined;
  return { id, name, sequences, logProb: logProbs(without, tried) };
}

/** What the model wrote itself need not be the tokens that its text is read as: only tokens that both have are compared. */
function logProbs(without: Trace, tried: Trace): Trial['logProb'] {
  const last = tried.sequences.length - 1;
  const [before, after] = [without.sequences[last]!, tried.sequences[last]!];
  const { a, b, same } = alignTraces(without, tried, last);
  const [from, to] = [new Mean(), new Mean()];
  same.forEach((isSame, c) => {
    const [t, u] = [a[c]!, b[c]!];
    if (!isSame || isSpecial(before, t)) return;
    const [one, other] = [before.logProb?.[t] ?? NaN, after.logProb?.[u] ?? NaN];
    if (Number.isNaN(one) || Number.isNaN(other)) return;
    from.add(one);
    to.add(other);
  });
  return { without: from.value, with: to.value };
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
