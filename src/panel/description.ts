import * as vscode from 'vscode';
import type { PoolInfo } from '../engine/api.js';
import { strategyDetail, strategyTitle } from '../host/strategies.js';
import type { Ability, SourceDescription } from '../shared/source.js';
import { offersOf } from '../strategies/index.js';

/** A pool on this machine: it can do everything, with the strategies that it has files for. */
export function describePool({
  name,
  strategies,
  experts,
  contextLength,
  topK,
  warnings,
}: PoolInfo): SourceDescription {
  return {
    name,
    can: {
      route: true,
      stream: true,
      generate: true,
      whatIf: true,
      attribute: true,
      score: true,
      lens: { reason: vscode.l10n.t('Pools give no predictions of the layers between.') },
      strategies: offersOf(strategies).map((offer) => ({
        ...offer,
        title: strategyTitle(offer.name),
        hint: strategyDetail(offer.name),
      })),
    },
    experts: experts.map(({ id, name: called, card }) => ({ id, name: called, ...(card && { card: true }) })),
    limits: { tokens: contextLength, k: topK },
    warnings,
  };
}

/** A trace file: shown, never run. */
export function describeFile(name: string): SourceDescription {
  const never: Ability = { reason: vscode.l10n.t('This is a trace file: nothing can be run in it.') };
  return {
    name,
    can: {
      route: never,
      stream: never,
      generate: never,
      whatIf: never,
      attribute: never,
      score: never,
      lens: never,
      strategies: [],
    },
    experts: [],
    limits: {},
    warnings: [],
  };
}
