/** A trace or one of its tokens as Markdown (GFM): what "copy as Markdown" copies. */
import { kindsOf, layersOf, leaderAt } from './access.js';
import { decimal, interventionText, percent, plain, strategyText, tokenText, visible } from './label.js';
import { ranked, tokenShares } from './leaders.js';
import { summarise, type TokenSummary } from './summary.js';
import type { Trace } from './trace.js';
import { certaintyOfToken } from './distribution.js';

/** Text that stays text: nothing in it is taken for markup or ends a table cell. */
export function markdownText(text: string): string {
  return plain(text).replace(/[\\`*_{}[\]()<>#+\-.!|~&]/g, '\\$&');
}

/** Code that survives a table: a fence longer than any run of backticks in it. */
export function markdownCode(text: string): string {
  const longest = Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  const padding = text.startsWith('`') || text.endsWith('`') ? ' ' : '';
  return `${fence}${padding}${text.replaceAll('|', '\\|')}${padding}${fence}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** What was run: one line. */
function heading(trace: Trace): string {
  const what = [
    markdownText(trace.pool.name),
    `strategy ${markdownCode(strategyText(trace.strategy))}`,
    ...trace.interventions.map((i) => markdownCode(plain(interventionText(i)))),
  ];
  return what.join(', ');
}

function leaders(trace: Trace, token: TokenSummary, limit: number): string {
  const named = token.experts.slice(0, limit);
  return named.map((e) => `${markdownText(trace.experts[e.index]!.name)} ${percent(e.share)}`).join(', ') || '–';
}

/** The run, each expert's usage beside chance, and a line for each token. */
export function traceMarkdown(trace: Trace): string {
  const summary = summarise(trace);
  const experts = [...summary.experts].sort((a, b) => b.share - a.share || a.index - b.index);
  return [
    heading(trace),
    `${summary.textTokens} tokens${summary.smallSample ? ' (few: shares are uncertain, see the intervals)' : ''}, mean log-probability ${decimal(summary.meanLogProb)}`,
    table(
      ['expert', 'share of choices', '95 % interval', 'chance'],
      experts.map((e) => [
        markdownText(e.name),
        percent(e.share),
        `${percent(e.interval.low)} to ${percent(e.interval.high)}`,
        percent(e.chance),
      ]),
    ),
    table(
      ['#', 'token', 'leading experts', 'log p', 'entropy', 'margin'],
      summary.tokens.map((token) => [
        String(token.index),
        markdownCode(visible(token.text)),
        leaders(trace, token, 3),
        decimal(token.logProb),
        decimal(token.entropy),
        decimal(token.margin, 3),
      ]),
    ),
    '',
  ].join('\n\n');
}

/** One token: its experts over all modules, the leading expert at each module, and what was predicted after it. */
export function tokenMarkdown(trace: Trace, t: number): string {
  const shares = tokenShares(trace, t);
  const byWeight = ranked(shares);
  const byContribution = tokenShares(trace, t, {}, 'contribution');
  const { entropy, margin } = certaintyOfToken(trace, t);
  const kinds = kindsOf(trace);
  const grid = layersOf(trace).map((layer) => [
    String(layer),
    ...kinds.map((kind) => {
      const m = trace.modules.findIndex((module) => module.layer === layer && module.kind === kind);
      const lead = m < 0 ? -1 : leaderAt(trace, m, t);
      return lead < 0 ? '–' : markdownText(trace.experts[lead]!.name);
    }),
  ]);
  const predicted = Array.from({ length: trace.predictions }, (_, i) => t * trace.predictions + i).map((i) => [
    markdownCode(visible(trace.topTokens?.[i] ?? `#${String(trace.topIds?.[i])}`)),
    percent(Math.exp(trace.topLogProb?.[i] ?? NaN)),
  ]);
  return [
    `Token ${t}: ${markdownCode(visible(tokenText(trace, t)))}. ${heading(trace)}`,
    `Log-probability ${decimal(trace.logProb?.[t] ?? NaN)}, entropy ${decimal(entropy)}, margin ${decimal(margin, 3)} (means over modules)`,
    table(
      ['expert', 'share of weight', ...(trace.contribution ? ['share of contribution'] : [])],
      byWeight.map((e) => [
        markdownText(trace.experts[e]!.name),
        percent(shares[e]!),
        ...(trace.contribution ? [percent(byContribution[e]!)] : []),
      ]),
    ),
    table(['layer', ...kinds.map(markdownText)], grid),
    ...(predicted.length > 0 ? [table(['predicted next', 'probability'], predicted)] : []),
    '',
  ].join('\n\n');
}
