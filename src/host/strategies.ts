import * as vscode from 'vscode';
import type { Strategy, StrategyName } from '../trace/trace.js';

export function strategyTitle(name: StrategyName): string {
  switch (name) {
    case 'base':
      return vscode.l10n.t('Base model alone');
    case 'single':
      return vscode.l10n.t('One expert everywhere');
    case 'phatgoose':
      return vscode.l10n.t('PHATGOOSE');
    case 'retrieval':
      return vscode.l10n.t('Retrieval');
    case 'merged':
      return vscode.l10n.t('Merged experts');
    case 'average-activation':
      return vscode.l10n.t('Average activation');
    case 'arrow':
      return vscode.l10n.t('Arrow');
    case 'multitask':
      return vscode.l10n.t('Multitask adapter');
  }
}

export function strategyDetail(name: StrategyName): string {
  switch (name) {
    case 'base':
      return vscode.l10n.t('No expert takes part.');
    case 'single':
      return vscode.l10n.t('The expert you choose, with weight 1.');
    case 'phatgoose':
      return vscode.l10n.t('Each token goes, in each module, to the experts whose trained gates fit best.');
    case 'retrieval':
      return vscode.l10n.t('One expert for the whole text: the one with the most similar training example.');
    case 'merged':
      return vscode.l10n.t('The mean of all experts.');
    case 'average-activation':
      return vscode.l10n.t('As PHATGOOSE, with mean training activations for gates.');
    case 'arrow':
      return vscode.l10n.t("As PHATGOOSE, with each adapter's main direction for a gate.");
    case 'multitask':
      return vscode.l10n.t("One adapter trained on all experts' data together.");
  }
}

export function strategyLabel(strategy: Strategy): string {
  const title = strategyTitle(strategy.name);
  if ('k' in strategy) return vscode.l10n.t('{0}, top {1}', title, strategy.k);
  return 'expert' in strategy && strategy.expert ? `${title}: ${strategy.expert}` : title;
}
