import * as vscode from 'vscode';
import { withPatientProgress } from './progress.js';
import { strategyLabel } from '../host/strategies.js';
import { presentSelection } from '../host/texts.js';
import type { OtherSide } from '../routing/runs.js';
import type { Routed, SideResult } from '../routing/store.js';
import type { Expert } from '../trace/model/trace.js';
import { type Ask, asking } from './asking.js';
import type { Command, Services } from './services.js';
import { asNode, pickStrategy } from './pick.js';
import { compareElsewhere, Elsewhere, pickElsewhere } from './compareElsewhere.js';
import { compareFinished, Finished, pickFinished } from './history.js';
import { target } from './target.js';

/**
 * Compares the current range with another strategy, the run without its what-if, a finished run, another selection or another
 * model; from the tree, with one expert alone.
 */
export const compareWith: Command = {
  id: 'gander.compareWith',
  async run(services, arg) {
    const node = asNode(arg);
    const routed = target(services, node);
    const { id, main } = routed;
    const other =
      node?.kind === 'expert' ? alone(main, node.expert) : await asking((ask) => choose(ask, services, routed));
    if (other === undefined) return;
    if (other instanceof Elsewhere) return compareElsewhere(services, id, other);
    if (other instanceof Finished) {
      compareFinished(services, id, other);
      return;
    }
    services.panels.show(services.store.get(id)!);
    await withPatientProgress(services, vscode.l10n.t('Routing'), ({ signal }) =>
      services.runs.compare(id, other, { signal }),
    );
  },
};

function alone({ text, output }: SideResult, expert: Expert): OtherSide {
  const strategy = { name: 'single', expert: expert.id } as const;
  return { text, title: strategyLabel(strategy, [expert]), output, strategy, interventions: [] };
}

async function choose(
  ask: Ask,
  services: Services,
  routed: Routed,
): Promise<OtherSide | Elsewhere | Finished | undefined> {
  const { uri, main } = routed;
  const title = vscode.l10n.t('Compare with');
  const items = [
    { label: vscode.l10n.t('Another Strategy…'), value: 'strategy' as const },
    { label: vscode.l10n.t('Present Selection'), value: 'selection' as const },
    { label: vscode.l10n.t('Another Engine…'), value: 'engine' as const },
    ...(services.history.of(uri).length > 1
      ? [{ label: vscode.l10n.t('A Finished Run…'), value: 'run' as const }]
      : []),
    ...(main.interventions.length > 0
      ? [{ label: vscode.l10n.t('Without the What-If'), value: 'before' as const }]
      : []),
  ];
  const chosen = await ask<'strategy' | 'selection' | 'engine' | 'run' | 'before'>(items, title);
  const source = await services.service.describe();
  switch (chosen) {
    case undefined:
      return undefined;
    case 'engine':
      return pickElsewhere(ask, services.engines);
    case 'run':
      return pickFinished(ask, services, routed);
    case 'before':
      return { ...main, title: strategyLabel(main.strategy, source.experts), interventions: [] };
    case 'strategy': {
      const strategy = await pickStrategy(ask, source, main.strategy, title);
      return strategy && { ...main, title: strategyLabel(strategy, source.experts), strategy };
    }
    case 'selection':
      return { ...main, ...(await presentSelection(main.text, source.limits.tokens)) };
  }
}
