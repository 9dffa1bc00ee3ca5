/** The rows of a summary and of a difference that terminal, Markdown, HTML and tools show; each formats names and marks its own way. */
import type { Interval } from '../../statistics/bootstrap.js';
import { decimal, layerText, percent, signed } from '../text/label.js';
import { type Agreement, type Difference, strongestChanges, type UsageDifference } from '../figures/difference.js';
import type { Sequence } from '../model/trace.js';
import type { ExpertsSummary, ExpertSummary, LayerSummary, TokenSummary } from '../figures/summary.js';

/** Experts, the most used first. */
export function byUse({ experts }: ExpertsSummary): ExpertSummary[] {
  return [...experts].sort((a, b) => b.share - a.share || a.index - b.index);
}

export const usageHead = ['load', '95 % interval', 'chance'] as const;

export function usageCells({ share, interval, chance }: ExpertSummary): string[] {
  return [percent(share), intervalCell(interval), percent(chance)];
}

/** `–` where there is none. */
export function intervalCell({ low, high }: Interval): string {
  return Number.isNaN(low) ? percent(low) : `${percent(low)} to ${percent(high)}`;
}

export const certaintyHead = ['log p', 'entropy', 'margin'] as const;

export function certaintyCells({ logProb, entropy, margin }: TokenSummary): string[] {
  return [decimal(logProb), decimal(entropy), decimal(margin, 3)];
}

export const layerHead = ['layer', 'effective number', 'chance', 'dead experts', 'entropy', 'margin'] as const;

/** How evenly a layer uses its own experts. */
export function layerCells(layer: LayerSummary): string[] {
  const { load, chanceLoad, entropy, margin } = layer;
  return [
    layerText(layer),
    decimal(load?.effective ?? NaN, 1),
    decimal(chanceLoad?.effective ?? NaN, 1),
    load ? String(load.dead.length) : '–',
    decimal(entropy),
    decimal(margin, 3),
  ];
}

export const agreementHead = [
  'layer',
  'flipped choices',
  'top-k overlap (chance)',
  'Jaccard (chance)',
  'JS divergence, bits',
] as const;

/** How far two runs agree in a layer, or in all. */
export function agreementCells(name: string, x: Agreement): string[] {
  return [
    name,
    percent(x.flipped),
    `${percent(x.topKOverlap)} (${percent(x.chanceTopKOverlap)})`,
    `${decimal(x.jaccard)} (${decimal(x.chanceJaccard)})`,
    decimal(x.divergence, 3),
  ];
}

export const loadChangeHead = ['expert', 'load, b − a, % points'] as const;

/** The experts whose load differs, the most changed first: index and change. */
export function loadChanges({ change }: UsageDifference): { readonly expert: number; readonly cell: string }[] {
  return [...change.keys()]
    .sort((x, y) => Math.abs(change[y]!) - Math.abs(change[x]!))
    .filter((e) => change[e] !== 0)
    .map((expert) => ({ expert, cell: signed(100 * change[expert]!, 1) }));
}

export const tokenChangeHead = ['log p in a', 'b − a', 'KL divergence ≥'] as const;

/** The tokens whose log-probability differs most: their index in a, and the cells after their name. */
export function tokenChanges(
  d: Difference,
  inA: Sequence,
  most: number,
): { readonly token: number; readonly cells: string[] }[] {
  return strongestChanges(d.logProb, most).map((c) => {
    const token = d.alignment.a[c]!;
    return { token, cells: [decimal(inA.logProb![token]!), signed(d.logProb[c]!, 3), decimal(d.predictions[c]!, 4)] };
  });
}
