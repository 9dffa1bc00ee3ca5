/** The rows of a summary that terminal, Markdown and HTML show; each formats names and marks its own way. */
import { decimal, layerText, percent } from '../text/label.js';
import type { ExpertsSummary, ExpertSummary, LayerSummary, TokenSummary } from '../figures/summary.js';

/** Experts, the most used first. */
export function byUse({ experts }: ExpertsSummary): ExpertSummary[] {
  return [...experts].sort((a, b) => b.share - a.share || a.index - b.index);
}

export const usageHead = ['load', '95 % interval', 'chance'] as const;

export function usageCells({ share, interval, chance }: ExpertSummary): string[] {
  return [percent(share), `${percent(interval.low)} to ${percent(interval.high)}`, percent(chance)];
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
