/** A trace, or one of its tokens, as Markdown (GFM), for “copy as Markdown”. */
import { kindsOf, layersOf, matches, rowsAt, type SharedSites, sharedSites, sitesOf } from '../model/access.js';
import { certaintyOfToken } from '../figures/distribution.js';
import { decimal, interventionText, layerText, percent, plain, routerText, tokenText, visible } from '../text/label.js';
import { ranked, tokenShares } from '../figures/leaders.js';
import { leaderAt, type Measure, measureOf } from '../figures/measure.js';
import { type ExpertsSummary, ownExperts, summaries, type Summary, type TokenSummary } from '../figures/summary.js';
import { byUse, certaintyCells, certaintyHead, layerCells, layerHead, usageCells, usageHead } from './tables.js';
import type { Trace } from '../model/trace.js';

/** Escapes text so that none of it acts as markup or ends a table cell. */
export function markdownText(text: string): string {
  return plain(text).replace(/[\\`*_{}[\]()<>#+\-.!|~&]/g, '\\$&');
}

/** Code that works in a table: its fence is longer than any run of backticks in it. */
export function markdownCode(text: string): string {
  const longest = (text.match(/`+/g) ?? []).reduce((most, run) => Math.max(most, run.length), 0);
  const fence = '`'.repeat(longest + 1);
  const padding = text.startsWith('`') || text.endsWith('`') ? ' ' : '';
  return `${fence}${padding}${text.replaceAll('|', '\\|')}${padding}${fence}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** One line that says what was run. */
function heading(trace: Trace): string {
  const what = [
    markdownText(trace.source.name),
    `strategy ${markdownCode(plain(routerText(trace.router)))}`,
    ...trace.interventions.map((i) => markdownCode(plain(interventionText(i)))),
  ];
  return what.join(', ');
}

function leaders({ shared }: Summary, { experts }: TokenSummary, limit: number): string {
  const named = (experts ?? []).slice(0, limit);
  return named.map((e) => `${markdownText(shared!.experts[e.index]!.name)} ${percent(e.share)}`).join(', ') || '–';
}

/** The run, each expert's usage next to chance, and a line per token. */
export function traceMarkdown(trace: Trace): string {
  const all = summaries(trace);
  return [heading(trace), ...all.flatMap((summary) => sequenceMarkdown(summary, all.length > 1)), ''].join('\n\n');
}

function sequenceMarkdown(summary: Summary, named: boolean): string[] {
  const { sequence, shared, absent, layers, tokens, textTokens, smallSample, meanLogProb } = summary;
  const few = smallSample ? ' (few: shares are uncertain, see the intervals)' : '';
  return [
    ...(named ? [`**${sequence.role}**`] : []),
    `${textTokens} tokens${few}, mean log-probability ${decimal(meanLogProb)}`,
    ...(absent.length > 0 ? [`Not given by the source: ${absent.join(', ')}`] : []),
    ...(shared ? [usageTable(shared)] : [ownExperts, table(layerHead, layers.map(layerCells))]),
    table(
      ['#', 'token', ...(shared ? ['leading experts'] : []), ...certaintyHead],
      tokens.map((token) => [
        String(token.index),
        markdownCode(visible(token.text)),
        ...(shared ? [leaders(summary, token, 3)] : []),
        ...certaintyCells(token),
      ]),
    ),
  ];
}

function usageTable(shared: ExpertsSummary): string {
  return table(
    ['expert', ...usageHead],
    byUse(shared).map((e) => [markdownText(e.name), ...usageCells(e)]),
  );
}

const shareOf: Record<Measure, string> = {
  weight: 'share of weight',
  contribution: 'share of contribution',
  choice: 'share of choices',
};

/** One token: its experts over all sites, the leading expert of each site, and the predictions after it. */
export function tokenMarkdown(trace: Trace, t: number, sequence = 0): string {
  const about = { sequence };
  const text = trace.sequences[sequence]!;
  const sites = sharedSites(trace, about);
  const { entropy, margin } = certaintyOfToken(trace, t, about);
  const kinds = kindsOf(trace, about);
  const all = Array.from(sitesOf(trace, about), (s) => rowsAt(trace, s));
  const grid = layersOf(trace, about).map((layer) => [
    layerText(layer),
    ...kinds.map((kind) => {
      const rows = all.find(({ site }) => matches(site, { ...layer, kind }));
      const lead = rows ? leaderAt(rows, t) : -1;
      return lead < 0 ? '–' : markdownText(rows!.set.experts[lead]!.name);
    }),
  ]);
  const { predictions, topTokens, topIds, topLogProb, logProb } = text;
  const predicted = Array.from({ length: predictions }, (_, i) => t * predictions + i).map((i) => [
    markdownCode(visible(topTokens?.[i] ?? `#${String(topIds?.[i])}`)),
    percent(Math.exp(topLogProb?.[i] ?? NaN)),
  ]);
  return [
    `Token ${t}: ${markdownCode(visible(tokenText(text, t)))}. ${heading(trace)}`,
    `Log-probability ${decimal(logProb?.[t] ?? NaN)}, entropy ${decimal(entropy)}, margin ${decimal(margin, 3)} (means over modules)`,
    sites ? shareTable(trace, sites, t) : ownExperts,
    table(['layer', ...kinds.map(markdownText)], grid),
    ...(predicted.length > 0 ? [table(['predicted next', 'probability'], predicted)] : []),
    '',
  ].join('\n\n');
}

/** By weight (or what replaces it) and, if the source gave it, by contribution. */
function shareTable(trace: Trace, sites: SharedSites, t: number): string {
  const measures = new Set([measureOf(trace, sites.sites, 'weight'), measureOf(trace, sites.sites, 'contribution')]);
  const columns = Array.from(measures, (measure) => ({ measure, shares: tokenShares(trace, sites, t, measure) }));
  return table(
    ['expert', ...columns.map(({ measure }) => shareOf[measure])],
    ranked(columns[0]!.shares).map((e) => [
      markdownText(sites.experts[e]!.name),
      ...columns.map(({ shares }) => percent(shares[e]!)),
    ]),
  );
}
