import * as vscode from 'vscode';
import type { Ability, SourceDescription } from '../requests/description.js';
import { strategyDetail, strategyTitle } from './strategies.js';

/** What a source says of itself, in the window's language. */
export function translated(description: SourceDescription): SourceDescription {
  const { route, stream, generate, whatIf, attribute, score, lens, strategies, k } = description.can;
  return {
    ...description,
    can: {
      ...description.can,
      route: said(route),
      stream: said(stream),
      generate: said(generate),
      whatIf: said(whatIf),
      attribute: said(attribute),
      score: said(score),
      lens: said(lens),
      ...(k !== undefined && { k: said(k) }),
      strategies: strategies.map((offer) => ({
        ...offer,
        title: strategyTitle(offer.name),
        hint: strategyDetail(offer.name),
      })),
    },
  };
}

function said(ability: Ability): Ability {
  if (ability === true) return true;
  const { reason } = ability;
  return { reason: vscode.l10n.t(reason) };
}
