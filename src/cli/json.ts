/** Results as JSON, for scripts. Undefined numbers are null; docs/cli.md describes the shapes. */
import type { Warning } from '../requests/description.js';
import { strategyOfRouter } from '../strategies/index.js';
import { summaries, type Summary } from '../trace/figures/summary.js';
import type { Trace } from '../trace/model/trace.js';

/** Version of the shapes. It is raised when a field is removed or changes its meaning, but not for a new one. */
const schema = 1;

export function json(value: object): string {
  return `${escaped(JSON.stringify({ schema, ...value }, null, 2))}\n`;
}

/** In one line, for stderr. */
export function jsonLine(value: object): string {
  return escaped(JSON.stringify({ schema, ...value }));
}

/** JSON may contain control and direction marks as they are, and a terminal would obey them. */
function escaped(written: string): string {
  return written.replace(
    /[^\P{Cc}\n]|[\p{Bidi_Control}\p{Zl}\p{Zp}]/gu,
    (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A model's warnings, as lines to read and as data for programs. */
export function warningsJson(warnings: readonly Warning[]): object {
  return { warnings: warnings.map(({ text }) => text), codedWarnings: warnings };
}

/** What was run. */
export function runJson({ source, router, interventions, created }: Trace): object {
  const { id, name, hash, tokenizer, versions } = source;
  return {
    strategy: strategyOfRouter(router),
    router,
    interventions,
    pool: { id, name, hash },
    tokenizer: { hash: tokenizer },
    source: { kind: source.kind, name },
    versions,
    created,
  };
}

/** All of a trace but its cells, which are in the trace file. The first of several sequences is also on the top level. */
export function traceJson(trace: Trace): object {
  const [first, ...others] = summaries(trace).map(sequenceJson);
  return {
    ...runJson(trace),
    modules: trace.modules.length,
    ...first,
    ...(others.length > 0 && { sequences: [first, ...others] }),
  };
}

function sequenceJson({
  sequence,
  shared,
  absent,
  layers,
  tokens,
  textTokens,
  smallSample,
  meanLogProb,
}: Summary): object {
  const id = (e: number) => shared?.experts[e]?.id;
  const { predictions, topIds, topTokens, topLogProb } = sequence;
  return {
    role: sequence.role,
    text: sequence.text,
    textTokens,
    smallSample,
    meanLogProb,
    absent,
    ...(shared && {
      load: { ...shared.load, dead: shared.load.dead.map(id), chance: shared.chanceLoad },
      experts: shared.experts,
      sharesOf: shared.measure,
    }),
    layers,
    tokens: tokens.map(({ experts, ...token }) => ({
      ...token,
      ...(experts && { experts: experts.map((e) => ({ id: id(e.index), share: e.share })) }),
      next: Array.from({ length: topIds ? predictions : 0 }, (_, i) => token.index * predictions + i).map((i) => ({
        id: topIds![i],
        text: topTokens?.[i],
        logProb: topLogProb?.[i],
      })),
    })),
  };
}
