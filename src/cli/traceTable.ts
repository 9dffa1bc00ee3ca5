/** A trace in the terminal: a line a token, then how the experts were used beside what chance would give. */
import { expertStyle } from '../shared/palette.js';
import { decimal, interventionText, percent, plain, strategyText, visible } from '../trace/label.js';
import { summarise, type Summary, type TokenSummary } from '../trace/summary.js';
import type { Trace } from '../trace/trace.js';
import { bar, fit, pad, type Paint, table } from './terminal.js';

const barWidth = 10;

export function traceTable(trace: Trace, paint: Paint, columns: number): string {
  const summary = summarise(trace);
  return [
    headline(trace, paint),
    tokenTable(trace, summary, paint, columns),
    usageTable(trace, summary, paint),
    footer(summary, paint),
  ].join('\n');
}

function headline(trace: Trace, paint: Paint): string {
  const what = [strategyText(trace.strategy), ...trace.interventions.map(interventionText)].map(plain);
  return `${paint.bold(plain(trace.pool.name))}  ${what.join(', ')}\n`;
}

export function expertName(trace: { readonly experts: Trace['experts'] }, e: number): string {
  return `${expertStyle(e).letter} ${plain(trace.experts[e]!.name)}`;
}

function tokenTable(trace: Trace, summary: Summary, paint: Paint, columns: number): string {
  const nameWidth = 16;
  // The leading expert with its bar takes some 50 columns beside the rest; each further one about 25.
  const further = Math.max(0, Math.min(3, Math.floor((columns - 75) / (nameWidth + 10))));
  const rows = summary.tokens.map((token) => [
    String(token.index),
    token.special ? paint.dim(fit(visible(token.text), 16)) : fit(visible(token.text), 16),
    leading(trace, token, paint, nameWidth),
    ...Array.from({ length: further }, (_, i) => alsoChosen(trace, token, i + 1, paint, nameWidth)),
    decimal(token.logProb),
    decimal(token.entropy),
    decimal(token.margin, 3),
  ]);
  const head = [
    '#',
    'token',
    'leading expert',
    ...Array.from({ length: further }, () => ''),
    'log p',
    'entropy',
    'margin',
  ];
  return table(head, rows, `rll${'l'.repeat(further)}rrr`, paint);
}

function leading(trace: Trace, token: TokenSummary, paint: Paint, width: number): string {
  const lead = token.experts[0];
  if (!lead) return '–';
  const drawn = paint.expert(lead.index, pad(bar(lead.share, barWidth), barWidth));
  return `${drawn} ${percent(lead.share).padStart(7)} ${fit(expertName(trace, lead.index), width)}`;
}

function alsoChosen(trace: Trace, token: TokenSummary, rank: number, paint: Paint, width: number): string {
  const e = token.experts[rank];
  return e ? `${percent(e.share).padStart(7)} ${paint.expert(e.index, fit(expertName(trace, e.index), width))}` : '';
}

function usageTable(trace: Trace, summary: Summary, paint: Paint): string {
  const most = Math.max(...summary.experts.map((e) => e.share), 1e-9);
  const rows = [...summary.experts]
    .sort((a, b) => b.share - a.share || a.index - b.index)
    .map((e) => [
      expertName(trace, e.index),
      paint.expert(e.index, pad(bar(e.share / most, barWidth), barWidth)),
      percent(e.share),
      `${percent(e.interval.low)} to ${percent(e.interval.high)}`,
      percent(e.chance),
    ]);
  return table(['expert', '', 'choices', '95 % interval', 'chance'], rows, 'llrrr', paint);
}

function footer({ textTokens, load, chanceLoad, meanLogProb, smallSample, experts }: Summary, paint: Paint): string {
  const lines = [
    `${textTokens} tokens, mean log p ${decimal(meanLogProb)}`,
    `load: CV ${decimal(load.cv)} (chance ${decimal(chanceLoad.cv)}), entropy ${decimal(load.entropyRatio)} (${decimal(chanceLoad.entropyRatio)}), ` +
      `${decimal(load.effective, 1)} effective experts of ${experts.length}, ${load.dead.length} never chosen`,
  ];
  if (smallSample) lines.push(paint.warn(`warning: only ${textTokens} tokens; mind the intervals.`));
  return `${lines.join('\n')}\n`;
}
