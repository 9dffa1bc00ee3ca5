import * as vscode from 'vscode';
import type { Node } from '../explorer/nodes.js';
import { strategyDetail, strategyTitle } from '../host/strategies.js';
import { byName } from '../look/names.js';
import { labelledName } from '../look/shortLabels.js';
import type { SourceDescription } from '../requests/description.js';
import { type Strategy, strategyOf, wordsOf } from '../strategies/index.js';
import { kindsOf, layersOf } from '../trace/model/access.js';
import { layerText, tokenLabel } from '../trace/text/label.js';
import { scopeOf } from '../trace/model/shownExperts.js';
import type { Expert, Scope, Trace } from '../trace/model/trace.js';
import type { Ask, Item } from './asking.js';

export function pickExpert(
  ask: Ask,
  { experts }: { readonly experts: readonly (Expert & { readonly description?: string })[] },
  title: string,
): Promise<string | undefined> {
  const inOrder = byName([...experts.entries()], ([, { name }]) => name, vscode.env.language);
  const items = inOrder.map(([i, { id, description }]) => ({
    label: labelledName(experts, i),
    description: id,
    ...(description && { detail: description }),
    value: id,
  }));
  return ask(items, title);
}

export async function pickStrategy(
  ask: Ask,
  source: SourceDescription,
  now: Strategy | undefined,
  title: string,
): Promise<Strategy | undefined> {
  const name = await ask(
    source.can.strategies.map(({ name: value }) => ({
      label: strategyTitle(value),
      description: value === now?.name ? vscode.l10n.t('current') : '',
      detail: strategyDetail(value),
      value,
    })),
    title,
  );
  if (!name) return undefined;
  const k = now?.k ?? source.limits.k ?? 1;
  if (wordsOf(name)?.takes !== 'expert') return strategyOf(name, { k, expert: '' });
  const expert = await pickExpert(ask, source, title);
  return expert === undefined ? undefined : strategyOf(name, { k, expert });
}

/** Where a what-if applies. `token`: the one under the cursor, if any. */
export function pickScope(ask: Ask, trace: Trace, token: number | undefined): Promise<Scope | undefined> {
  const items: Item<Scope>[] = [
    { label: vscode.l10n.t('Everywhere'), value: {} },
    ...(token === undefined
      ? []
      : [
          {
            label: vscode.l10n.t('At the token under the cursor'),
            description: tokenLabel(trace.sequences[0]!, token),
            value: { token },
          },
        ]),
    ...kindsOf(trace).map((kind) => ({ label: vscode.l10n.t('In all modules of kind {0}', kind), value: { kind } })),
    ...layersOf(trace).map((layer) => ({
      label: vscode.l10n.t('In layer {0}', layerText(layer)),
      value: scopeOf(layer),
    })),
  ];
  return ask(items, vscode.l10n.t('In which scope?'));
}

/** The node of the tree whose menu ran the command. */
export function asNode(value: unknown): Node | undefined {
  return typeof value === 'object' && value !== null && 'kind' in value ? (value as Node) : undefined;
}
