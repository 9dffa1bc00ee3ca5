/** A trace as Markdown (GFM), for “copy as Markdown”. */
import { decimal, interventionText, percent, plain, routerText, visible } from '../text/label.js';
import {
  type ExpertsSummary,
  layerExpertsNote,
  summaries,
  type Summary,
  type TokenSummary,
} from '../figures/summary.js';
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

export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
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
    ...(shared ? [usageTable(shared)] : [layerExpertsNote, markdownTable(layerHead, layers.map(layerCells))]),
    markdownTable(
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
  return markdownTable(
    ['expert', ...usageHead],
    byUse(shared).map((e) => [markdownText(e.name), ...usageCells(e)]),
  );
}
