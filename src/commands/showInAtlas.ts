import * as vscode from 'vscode';
import { unitSchema } from '../atlas/names.js';
import type { UnitKey } from '../atlas/protocol.js';
import { GanderError } from '../errors/errors.js';
import type { Atlases } from '../host/atlases.js';
import { type Layer, layerAt, sharedModules } from '../trace/model/access.js';
import type { Trace } from '../trace/model/trace.js';
import { asNode } from './pick.js';
import type { Command, Services } from './services.js';

/** Shows an expert's page in the atlas of the model in use: that of a node of the tree, or of a hover's link. */
export const showInAtlas: Command = {
  id: 'gander.showInAtlas',
  async run(services, asked) {
    const { present } = services.atlases;
    const unit = unitSchema.safeParse(asked).data ?? unitOf(services, asked);
    if (present === undefined || !unit) throw noUnit();
    await services.atlasEditor.show(present, unit);
  },
};

function unitOf({ atlases, tree }: Services, asked: unknown): UnitKey | undefined {
  const node = asNode(asked);
  const trace = tree.routed?.main.trace;
  switch (node?.kind) {
    case 'expert':
      return atlases.unit(undefined, node.expert.id)?.key;
    case 'layer-expert':
    case 'layer':
      return trace && unitIn(atlases, trace, node.layer, node.expert);
    case 'module': {
      const module = trace?.modules[node.module];
      return trace && module && unitIn(atlases, trace, layerAt(trace, module), node.expert);
    }
    default:
      return undefined;
  }
}

function unitIn(atlases: Atlases, trace: Trace, layer: Layer, expert: number): UnitKey | undefined {
  const id = sharedModules(trace, { ...layer, sequence: 0 })?.experts[expert]?.id;
  return id === undefined ? undefined : atlases.unit(layer, id)?.key;
}

function noUnit(): GanderError {
  return new GanderError(
    'request-invalid',
    vscode.l10n.t('No atlas of this model has a page for this expert.'),
    vscode.l10n.t('Make one (Gander: Make Atlas…), or open one that somebody made of this model.'),
  );
}
