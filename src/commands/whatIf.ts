import * as vscode from 'vscode';
import { type Node, type NodeOf, treeSites } from '../explorer/nodes.js';
import { sharedSites } from '../trace/model/access.js';
import { withPatientProgress } from './progress.js';
import { scopeOf as scopeIn } from '../trace/model/sight.js';
import type { Intervention, Scope } from '../trace/model/trace.js';
import { asking } from './asking.js';
import type { Command, Parts } from './parts.js';
import { asNode, pickExpert, pickScope } from './pick.js';
import { target } from './target.js';

export const knockOut: Command = {
  id: 'gander.knockOut',
  run: (parts, arg) => intervene(parts, 'knock-out', asNode(arg), vscode.l10n.t('Knock out which expert?')),
};

export const force: Command = {
  id: 'gander.force',
  run: (parts, arg) => intervene(parts, 'force', asNode(arg), vscode.l10n.t('Force which expert?')),
};

export const solo: Command = {
  id: 'gander.solo',
  async run(parts, arg) {
    const { id, main } = target(parts);
    const expert =
      expertOf(parts, asNode(arg)) ??
      (await asking(async (ask) =>
        pickExpert(ask, await parts.service.describe(), vscode.l10n.t('Which expert alone?')),
      ));
    if (expert === undefined) return;
    // An ordinary what-if, which can be undone. Knock-outs of this expert are dropped, because nothing would be left.
    const kept = main.interventions.filter((one) => one.action !== 'knock-out' || one.expert !== expert);
    const alone: Intervention = { action: 'force', expert, scope: {} };
    await rerun(parts, id, (signal) => parts.runs.route(id, 'main', main.strategy, [...kept, alone], { signal }));
  },
};

export const clearWhatIf: Command = {
  id: 'gander.clearWhatIf',
  async run(parts) {
    const { id, main } = target(parts);
    await rerun(parts, id, (signal) => parts.runs.route(id, 'main', main.strategy, [], { signal }));
  },
};

async function intervene(
  parts: Parts,
  action: 'knock-out' | 'force',
  node: Node | undefined,
  title: string,
): Promise<void> {
  const { id, main } = target(parts);
  const intervention = await asking(async (ask): Promise<Intervention | undefined> => {
    const fromTree = expertOf(parts, node);
    const expert = fromTree ?? (await pickExpert(ask, await parts.service.describe(), title));
    if (expert === undefined) return undefined;
    const scope =
      fromTree !== undefined || !main.trace
        ? scopeOf(parts, node)
        : await pickScope(ask, main.trace, tokenAtCursor(parts, id));
    return scope && { action, expert, scope };
  });
  if (!intervention) return;
  await rerun(parts, id, (signal) =>
    parts.runs.route(id, 'main', main.strategy, [...main.interventions, intervention], { signal }),
  );
}

async function rerun(parts: Parts, id: number, run: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const routed = parts.store.get(id);
  if (routed && !parts.panels.find(id)) parts.panels.show(routed);
  await withPatientProgress(parts, vscode.l10n.t('Routing'), ({ signal }) => run(signal));
}

/** The expert of a node: a layer or module in the tree belongs to an expert of the last trace. */
function expertOf({ store }: Parts, node: Node | undefined): string | undefined {
  switch (node?.kind) {
    case 'expert':
      return node.expert.id;
    case 'layers':
    case 'tokens':
    case 'layer':
    case 'site':
    case 'token':
      return expertOfLatest(store, node.expert);
    case 'own-expert':
      return ownExpertOf(store, node);
    case 'model':
    case 'own-layer':
    case 'pool':
    case 'warning':
    case undefined:
      return undefined;
  }
}

function expertOfLatest({ latest }: Parts['store'], expert: number): string | undefined {
  const trace = latest?.main.trace;
  return (trace && treeSites(trace))?.experts[expert]?.id;
}

function ownExpertOf({ latest }: Parts['store'], { layer, expert }: NodeOf<'own-expert'>): string | undefined {
  const trace = latest?.main.trace;
  return trace && sharedSites(trace, { ...layer, sequence: 0 })?.experts[expert]?.id;
}

function scopeOf({ store }: Parts, node: Node | undefined): Scope {
  if (node?.kind === 'layer' || node?.kind === 'own-expert') return scopeIn(node.layer);
  const module = node?.kind === 'site' ? store.latest?.main.trace?.sites[node.site]?.path : undefined;
  if (module !== undefined) return { module };
  return node?.kind === 'token' ? { token: node.token } : {};
}

function tokenAtCursor({ store }: Parts, id: number): number | undefined {
  const editor = vscode.window.activeTextEditor;
  if (editor?.document.uri.toString() !== store.get(id)?.uri || !editor) return undefined;
  return store.tokenAt(id, editor.document.offsetAt(editor.selection.active));
}
