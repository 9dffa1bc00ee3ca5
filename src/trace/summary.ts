/** The numbers that every summary of a trace shows: terminal, JSON, Markdown and HTML draw from here. */
import { isSpecial, textTokens } from './access.js';
import { type Interval, isSmallSample, usageIntervals } from './bootstrap.js';
import { certaintyByToken } from './distribution.js';
import { ranked, tokenShares } from './leaders.js';
import { tokenText } from './label.js';
import { chanceLoad, load, type Load, usage } from './usage.js';
import type { Trace } from './trace.js';

export interface ExpertSummary {
  readonly index: number;
  readonly id: string;
  readonly name: string;
  /** Of all choices of text tokens, the expert's share, its 95 % bootstrap interval, and what chance would give. */
  readonly share: number;
  readonly interval: Interval;
  readonly chance: number;
  readonly weightShare: number;
}

export interface TokenSummary {
  readonly index: number;
  readonly id: number;
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly special: boolean;
  readonly logProb: number;
  /** Means over the modules. */
  readonly entropy: number;
  readonly margin: number;
  /** Shares of the routing weight over all modules, largest first. */
  readonly experts: readonly { readonly index: number; readonly share: number }[];
}

export interface Summary {
  readonly experts: readonly ExpertSummary[];
  readonly tokens: readonly TokenSummary[];
  /** Text tokens: what the statistics are about. */
  readonly textTokens: number;
  readonly choices: number;
  readonly load: Load;
  readonly chanceLoad: ReturnType<typeof chanceLoad>;
  /** Mean log-probability of the text's tokens; NaN where not known. */
  readonly meanLogProb: number;
  readonly smallSample: boolean;
}

export function summarise(trace: Trace): Summary {
  const u = usage(trace);
  const intervals = usageIntervals(trace);
  const certainty = certaintyByToken(trace);
  const text = textTokens(trace);
  const logProbs = [...text].map((t) => trace.logProb?.[t] ?? NaN).filter((x) => !Number.isNaN(x));
  return {
    experts: trace.experts.map(({ id, name }, index) => ({
      index,
      id,
      name,
      share: u.share[index]!,
      interval: intervals[index]!,
      chance: u.chance[index]!,
      weightShare: u.weightShare[index]!,
    })),
    tokens: Array.from({ length: trace.done }, (_, t) => {
      const shares = tokenShares(trace, t);
      return {
        index: t,
        id: trace.tokens.ids[t]!,
        text: tokenText(trace, t),
        start: trace.tokens.start[t]!,
        end: trace.tokens.end[t]!,
        special: isSpecial(trace, t),
        logProb: trace.logProb?.[t] ?? NaN,
        entropy: certainty.entropy[t]!,
        margin: certainty.margin[t]!,
        experts: ranked(shares).map((index) => ({ index, share: shares[index]! })),
      };
    }),
    textTokens: text.length,
    choices: u.choices,
    load: load(u.share),
    chanceLoad: chanceLoad(u),
    meanLogProb: logProbs.length > 0 ? logProbs.reduce((sum, x) => sum + x, 0) / logProbs.length : NaN,
    smallSample: isSmallSample(text.length),
  };
}
