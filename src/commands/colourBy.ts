import * as vscode from 'vscode';
import { layerName } from '../host/colours.js';
import { word } from '../host/words.js';
import { GanderError } from '../shared/errors.js';
import { type ColourChoice, type Colouring, colourings, isByLayer, lackFor } from '../trace/colouring.js';
import { layersOf } from '../trace/access.js';
import { layerKey, sightOf } from '../trace/sight.js';
import type { Trace } from '../trace/trace.js';
import { asking, type Ask } from './asking.js';
import type { Command } from './parts.js';
import { asNode } from './pick.js';
import { target } from './target.js';

/** Colours the texts whose layers have experts of their own: by one layer's, or by a number. */
export const colourBy: Command = {
  id: 'gander.colourBy',
  async run(parts, arg) {
    const node = asNode(arg);
    if (node?.kind === 'own-layer') {
      parts.colours.choose({ by: 'experts', layer: layerKey(node.layer) });
      return;
    }
    const { trace } = target(parts).main;
    if (!trace || !sightOf(trace)?.layer)
      throw new GanderError(
        'request-invalid',
        vscode.l10n.t('The experts are the same in all layers: the text has their colours already.'),
        vscode.l10n.t('Route a text with a model whose layers have experts of their own.'),
      );
    const choice = await asking((ask) => pickColour(ask, trace, parts.colours.choice));
    if (choice) parts.colours.choose(choice);
  },
};

async function pickColour(ask: Ask, trace: Trace, now: ColourChoice): Promise<ColourChoice | undefined> {
  const current = (is: boolean) => (is ? vscode.l10n.t('current') : '');
  const by = await ask(
    colourings
      .filter((one) => lackFor(trace, one) === undefined)
      .map((value) => ({ label: titleOf(value), description: current(value === now.by), value })),
    vscode.l10n.t('Colour the text by'),
  );
  if (by === undefined) return undefined;
  if (!isByLayer(by)) return { by, layer: '' };
  const layers = layersOf(trace).map((layer) => ({ label: layerName(layer), value: layerKey(layer) }));
  const places = by === 'experts' ? layers : [{ label: word('allLayers'), value: '' }, ...layers];
  const layer = await ask(
    places.map((place) => ({ ...place, description: current(by === now.by && place.value === now.layer) })),
    vscode.l10n.t('Of which layer?'),
  );
  return layer === undefined ? undefined : { by, layer };
}

const titleOf = (by: Colouring) => (by === 'experts' ? vscode.l10n.t('experts of a layer') : word(`colour_${by}`));
