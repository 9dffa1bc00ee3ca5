/** A trace in the terminal: a line per token, then how much each expert was used, with what chance would give. */
import { bar } from '../look/bar.js';
import { labelledName } from '../look/shortLabels.js';
import { fit, table } from '../terminal/columns.js';
import type { Paint } from '../terminal/paint.js';
import { decimal, interventionText, percent, plain, routerText, visible } from '../trace/text/label.js';
import {
  type ExpertsSummary,
  type LayerSummary,
  layerExpertsNote,
  summaries,
  type Summary,
  type TokenSummary,
} from '../trace/figures/summary.js';
import {
  byUse,
  certaintyCells,
  certaintyHead,
  layerCells,
  layerHead,
  usageCells,
  usageHead,
} from '../trace/exports/tables.js';
import type { Expert, Trace } from '../trace/model/trace.js';

const barWidth = 10;
const nameWidth = 16;

export function traceTable(trace: Trace, paint: Paint, columns: number): string {
  const all = summaries(trace);
  return [
    headline(trace, paint),
    ...all.flatMap((summary) => [
      ...(all.length > 1 ? [`${paint.bold(summary.sequence.role)}\n`] : []),
      tokenTable(summary, paint, columns),
      summary.shared
        ? usageTable(summary.shared, paint)
        : `${layerExpertsNote}\n\n${layerTable(summary.layers, paint)}`,
      footer(summary, paint),
    ]),
  ].join('\n');
}

function headline(trace: Trace, paint: Paint): string {
  const what = [routerText(trace.router), ...trace.interventions.map(interventionText)].map(plain);
  return `${paint.bold(plain(trace.source.name))}  ${what.join(', ')}\n`;
}

export function expertName(experts: readonly Expert[], e: number): string {
  return plain(labelledName(experts, e));
}

function tokenTable({ shared, tokens }: Summary, paint: Paint, columns: number): string {
  // The leading expert with its bar takes some 50 columns beside the rest; each further one about 25.
  const further = Math.max(0, Math.min(3, Math.floor((columns - 75) / (nameWidth + 10))));
  const also = shared ? Array.from({ length: further }, (_, i) => i + 1) : [];
  const rows = tokens.map((token) => [
    String(token.index),
    token.special ? paint.dim(fit(visible(token.text), 16)) : fit(visible(token.text), 16),
    ...(shared ? [leading(shared, token, paint), ...also.map((rank) => alsoChosen(shared, token, rank, paint))] : []),
    ...certaintyCells(token),
  ]);
  const head = ['#', 'token', ...(shared ? ['leading expert', ...also.map(() => '')] : []), ...certaintyHead];
  return table(head, rows, `rl${'l'.repeat(head.length - 5)}rrr`, paint);
}

function leading({ experts, slots }: ExpertsSummary, token: TokenSummary, paint: Paint): string {
  const lead = token.experts?.[0];
  if (!lead) return '–';
  const drawn = paint.slot(slots[lead.index]!, bar(lead.share, barWidth));
  return `${drawn} ${percent(lead.share).padStart(7)} ${fit(expertName(experts, lead.index), nameWidth)}`;
}

function alsoChosen({ experts, slots }: ExpertsSummary, token: TokenSummary, rank: number, paint: Paint): string {
  const e = token.experts?.[rank];
  return e
    ? `${percent(e.share).padStart(7)} ${paint.slot(slots[e.index]!, fit(expertName(experts, e.index), nameWidth))}`
    : '';
}

function usageTable(shared: ExpertsSummary, paint: Paint): string {
  const { experts, slots } = shared;
  const most = Math.max(...experts.map((e) => e.share), 1e-9);
  const rows = byUse(shared).map((e) => [
    expertName(experts, e.index),
    paint.slot(slots[e.index]!, bar(e.share / most, barWidth)),
    ...usageCells(e),
  ]);
  return table(['expert', '', ...usageHead], rows, 'llrrr', paint);
}

/** How evenly each layer uses its own experts. */
function layerTable(layers: readonly LayerSummary[], paint: Paint): string {
  return table(layerHead, layers.map(layerCells), 'lrrrrr', paint);
}

function footer({ textTokens, meanLogProb, smallSample, shared, absent }: Summary, paint: Paint): string {
  const lines = [`${textTokens} tokens, mean log p ${decimal(meanLogProb)}`];
  if (shared) {
    const { load, chanceLoad } = shared;
    lines.push(
      `load: CV ${decimal(load.cv)} (chance ${decimal(chanceLoad.cv)}), entropy ${decimal(load.entropyRatio)} (${decimal(chanceLoad.entropyRatio)}), ` +
        `effective number of experts ${decimal(load.effective, 1)} of ${load.experts}, ${load.dead.length} dead`,
    );
  }
  if (absent.length > 0) lines.push(`not given by the source: ${absent.join(', ')}`);
  if (smallSample) lines.push(paint.warn(`warning: only ${textTokens} tokens; mind the intervals.`));
  return `${lines.join('\n')}\n`;
}
