import * as vscode from 'vscode';
import type { Strategy } from '../strategies/strategy.js';
import { word } from './words.js';

/** As the page calls it. */
export function strategyTitle(name: StrategyName): string {
  return word(name);
}

export function strategyDetail(name: StrategyName): string {
  return word(`${name}Hint`);
}

export function strategyLabel(strategy: Strategy): string {
  const title = strategyTitle(strategy.name);
  if ('k' in strategy) return vscode.l10n.t('{0}, top {1}', title, strategy.k);
  return 'expert' in strategy && strategy.expert ? `${title}: ${strategy.expert}` : title;
}
