import * as vscode from 'vscode';
import type { Ability, SourceDescription } from '../requests/description.js';
import { strategyDetail, strategyTitle } from './strategies.js';

/** A source's description in the window's language. */
export function translated(description: SourceDescription): SourceDescription {
  const { strategies, target, ...able } = description.can;
  const said = Object.fromEntries(Object.entries(able).map(([name, ability]) => [name, inWords(ability)]));
  return {
    ...description,
    can: {
      ...(said as unknown as typeof able),
      ...(target && { target }),
      strategies: strategies.map((offer) => ({
        ...offer,
        title: strategyTitle(offer.name),
        hint: strategyDetail(offer.name),
      })),
    },
  };
}

function inWords(ability: Ability): Ability {
  if (ability === true) return true;
  const { reason } = ability;
  return { reason: vscode.l10n.t(reason) };
}
