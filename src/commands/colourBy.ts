import * as vscode from 'vscode';
import { layerName } from '../host/colours.js';
import { word } from '../host/words.js';
import {
  type ColourChoice,
  type Colouring,
  colourings,
  isByLayer,
  lackFor,
  shownBy,
} from '../trace/figures/colouring.js';
import { layersOf } from '../trace/model/access.js';
import { layerKey, sightOf } from '../trace/model/sight.js';
import type { Trace } from '../trace/model/trace.js';
import { asking, type Ask } from './asking.js';
import type { Command } from './parts.js';
import { asNode } from './pick.js';
import { nothingRouted, target } from './target.js';

/** Colours the texts by their leading experts (those of one layer, if each layer has its own), or by a number. */
export const colourBy: Command = {
  id: 'gander.colourBy',
  async run(parts, arg) {
    const node = asNode(arg);
    if (node?.kind === 'own-layer') {
      parts.colours.choose({ by: 'experts', layer: layerKey(node.layer) });
      return;
    }
    const { trace } = target(parts).main;
    if (!trace) throw nothingRouted();
    const choice = await asking((ask) => pickColour(ask, trace, parts.colours.choice));
    if (choice) parts.colours.choose(choice);
  },
};

async function pickColour(ask: Ask, trace: Trace, now: ColourChoice): Promise<ColourChoice | undefined> {
  const current = (is: boolean) => (is ? vscode.l10n.t('current') : '');
  const isOwn = sightOf(trace)?.layer !== undefined;
  const experts = isOwn ? vscode.l10n.t('experts of a layer') : word('colour_leader');
  const titleOf = (one: Colouring) => (one === 'experts' ? experts : word(`colour_${one}`));
  // Differs from the choice if the trace lacks what that needs.
  const shown = shownBy(trace, now).by;
  const by = await ask(
    colourings
      .filter((one) => lackFor(trace, one) === undefined)
      .map((value) => ({ label: titleOf(value), description: current(value === shown), value })),
    vscode.l10n.t('Colour the text by'),
  );
  if (by === undefined) return undefined;
  if (!isByLayer(by) || (by === 'experts' && !isOwn)) return { by, layer: '' };
  const layers = layersOf(trace).map((layer) => ({ label: layerName(layer), value: layerKey(layer) }));
  const places = by === 'experts' ? layers : [{ label: word('allLayers'), value: '' }, ...layers];
  const layer = await ask(
    places.map((place) => ({ ...place, description: current(by === now.by && place.value === now.layer) })),
    vscode.l10n.t('Of which layer?'),
  );
  return layer === undefined ? undefined : { by, layer };
}
