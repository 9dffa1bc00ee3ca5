/** Results as JSON, for scripts. Numbers that are not defined are null; shapes are told in docs/cli.md. */
import { summarise } from '../trace/summary.js';
import type { Trace } from '../trace/trace.js';

export function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** What was run. */
export function runJson(trace: Trace): object {
  const { strategy, interventions, pool, tokenizer, versions, created } = trace;
  return { strategy, interventions, pool, tokenizer, versions, created };
}

/** All of a trace but its cells: those are in the trace file. */
export function traceJson(trace: Trace): object {
  const summary = summarise(trace);
  const id = (e: number) => trace.experts[e]!.id;
  return {
    ...runJson(trace),
    text: trace.text,
    modules: trace.modules.length,
    textTokens: summary.textTokens,
    smallSample: summary.smallSample,
    meanLogProb: summary.meanLogProb,
    load: { ...summary.load, dead: summary.load.dead.map(id), chance: summary.chanceLoad },
    experts: summary.experts,
    tokens: summary.tokens.map((token) => ({
      ...token,
      experts: token.experts.map((e) => ({ id: id(e.index), share: e.share })),
      next: Array.from(
        { length: trace.topIds ? trace.predictions : 0 },
        (_, i) => token.index * trace.predictions + i,
      ).map((i) => ({ id: trace.topIds![i], text: trace.topTokens?.[i], logProb: trace.topLogProb?.[i] })),
    })),
  };
}
