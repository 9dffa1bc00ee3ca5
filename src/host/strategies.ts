import * as vscode from 'vscode';
import { type Strategy, strategyOfRouter, wordsOf } from '../strategies/index.js';
import type { Expert, Router, Trace } from '../trace/model/trace.js';
import { plain } from '../trace/text/label.js';
import { counted } from './words.js';

/** The page's name for it; a router that is not one of ours keeps the name that its source uses. */
export function strategyTitle(name: string): string {
  const title = wordsOf(name)?.title;
  return title === undefined ? name : vscode.l10n.t(title);
}

export function strategyDetail(name: string): string {
  const hint = wordsOf(name)?.hint;
  return hint === undefined ? '' : vscode.l10n.t(hint);
}

/** @param experts that the strategy may name */
export function strategyLabel({ name, k, expert }: Strategy, experts: readonly Expert[] = []): string {
  const title = strategyTitle(name);
  if (k !== undefined) return counted('expertsPerToken', title, k);
  if (expert === undefined) return title;
  return `${title}: ${plain(experts.find(({ id }) => id === expert)?.name ?? expert)}`;
}

export function routerLabel(router: Router): string {
  return strategyLabel(strategyOfRouter(router));
}

export const expertsIn = ({ expertSets }: Pick<Trace, 'expertSets'>): Expert[] =>
  expertSets.flatMap(({ experts }) => experts);
