import * as vscode from 'vscode';
import { type Node, type NodeOf, treeModules } from '../explorer/nodes.js';
import { sharedModules } from '../trace/model/access.js';
import { withPatientProgress } from './progress.js';
import { scopeOf as scopeIn } from '../trace/model/shownExperts.js';
import { withOneMore } from '../trace/model/whatIf.js';
import type { Intervention, Scope } from '../trace/model/trace.js';
import { asking } from './asking.js';
import type { Command, Services } from './services.js';
import { asNode, pickExpert, pickScope } from './pick.js';
import { target } from './target.js';

export const knockOut: Command = {
  id: 'gander.knockOut',
  run: (services, arg) => intervene(services, 'knock-out', asNode(arg), vscode.l10n.t('Knock out which expert?')),
};

export const force: Command = {
  id: 'gander.force',
  run: (services, arg) => intervene(services, 'force', asNode(arg), vscode.l10n.t('Force which expert?')),
};

export const solo: Command = {
  id: 'gander.solo',
  async run(services, arg) {
    const node = asNode(arg);
    const { id, main } = target(services, node);
    const expert =
      expertOf(services, node) ??
      (await asking(async (ask) =>
        pickExpert(ask, await services.service.describe(), vscode.l10n.t('Which expert alone?')),
      ));
    if (expert === undefined) return;
    // An ordinary what-if, which can be undone. Knock-outs of this expert are dropped, because nothing would be left.
    const kept = main.interventions.filter((one) => one.action !== 'knock-out' || one.expert !== expert);
    const alone: Intervention = { action: 'force', expert, scope: {} };
    await rerun(services, id, (signal) => services.runs.route(id, 'main', main.strategy, [...kept, alone], { signal }));
  },
};

export const clearWhatIf: Command = {
  id: 'gander.clearWhatIf',
  async run(services) {
    const { id, main } = target(services);
    await rerun(services, id, (signal) => services.runs.route(id, 'main', main.strategy, [], { signal }));
  },
};

async function intervene(
  services: Services,
  action: 'knock-out' | 'force',
  node: Node | undefined,
  title: string,
): Promise<void> {
  const { id, main } = target(services, node);
  const intervention = await asking(async (ask): Promise<Intervention | undefined> => {
    const fromTree = expertOf(services, node);
    const expert = fromTree ?? (await pickExpert(ask, await services.service.describe(), title));
    if (expert === undefined) return undefined;
    const scope =
      fromTree !== undefined || !main.trace
        ? scopeOf(services, node)
        : await pickScope(ask, main.trace, tokenAtCursor(services, id));
    return scope && { action, expert, scope };
  });
  if (!intervention) return;
  await rerun(services, id, (signal) =>
    services.runs.route(id, 'main', main.strategy, withOneMore(main.interventions, intervention), { signal }),
  );
}

async function rerun(services: Services, id: number, run: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const routed = services.store.get(id);
  if (routed && !services.panels.find(id)) services.panels.show(routed);
  await withPatientProgress(services, vscode.l10n.t('Routing'), ({ signal }) => run(signal));
}

/** The expert of a node: a layer or module in the tree belongs to an expert of the trace that it is about. */
function expertOf({ tree }: Services, node: Node | undefined): string | undefined {
  switch (node?.kind) {
    case 'expert':
      return node.expert.id;
    case 'layers':
    case 'tokens':
    case 'layer':
    case 'module':
    case 'token':
      return expertInTree(tree, node.expert);
    case 'layer-expert':
      return layerExpertOf(tree, node);
    case 'model':
    case 'expert-layer':
    case 'pool':
    case 'warning':
    case 'atlas':
    case undefined:
      return undefined;
  }
}

function expertInTree({ routed }: Services['tree'], expert: number): string | undefined {
  const trace = routed?.main.trace;
  return (trace && treeModules(trace))?.experts[expert]?.id;
}

function layerExpertOf({ routed }: Services['tree'], { layer, expert }: NodeOf<'layer-expert'>): string | undefined {
  const trace = routed?.main.trace;
  return trace && sharedModules(trace, { ...layer, sequence: 0 })?.experts[expert]?.id;
}

function scopeOf({ tree }: Services, node: Node | undefined): Scope {
  if (node?.kind === 'layer' || node?.kind === 'layer-expert') return scopeIn(node.layer);
  const module = node?.kind === 'module' ? tree.routed?.main.trace?.modules[node.module]?.path : undefined;
  if (module !== undefined) return { module };
  return node?.kind === 'token' ? { token: node.token } : {};
}

function tokenAtCursor({ store }: Services, id: number): number | undefined {
  const editor = vscode.window.activeTextEditor;
  if (editor?.document.uri.toString() !== store.get(id)?.uri || !editor) return undefined;
  return store.tokenAt(id, editor.document.offsetAt(editor.selection.active));
}
