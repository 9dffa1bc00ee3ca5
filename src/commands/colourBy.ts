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
import type { Routed } from '../routing/store.js';
import { layersOf } from '../trace/model/access.js';
import { layerKey, shownExpertsOf } from '../trace/model/shownExperts.js';
import type { Trace } from '../trace/model/trace.js';
import { asking, type Ask } from './asking.js';
import type { Command, Services } from './services.js';
import { asNode } from './pick.js';
import { nothingRouted, target } from './target.js';

/** Colours the texts by their leading experts (those of one layer, if each layer has its own), or by a number. */
export const colourBy: Command = {
  id: 'gander.colourBy',
  async run(services, arg) {
    const node = asNode(arg);
    if (node?.kind === 'expert-layer') {
      colour(services, target(services, node), { by: 'experts', layer: layerKey(node.layer) });
      return;
    }
    const routed = target(services);
    const { trace } = routed.main;
    if (!trace) throw nothingRouted();
    const choice = await asking((ask) => pickColour(ask, trace, services.colours.choice));
    if (choice) colour(services, routed, choice);
  },
};

function colour({ colours, panels }: Services, { id }: Routed, choice: ColourChoice): void {
  colours.choose(choice);
  panels.uncover(id);
}

async function pickColour(ask: Ask, trace: Trace, now: ColourChoice): Promise<ColourChoice | undefined> {
  const current = (is: boolean) => (is ? vscode.l10n.t('current') : '');
  const hasLayerExperts = shownExpertsOf(trace)?.layer !== undefined;
  const experts = hasLayerExperts ? vscode.l10n.t('experts of a layer') : word('colour_leader');
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
  if (!isByLayer(by) || (by === 'experts' && !hasLayerExperts)) return { by, layer: '' };
  const layers = layersOf(trace).map((layer) => ({ label: layerName(layer), value: layerKey(layer) }));
  const places = by === 'experts' ? layers : [{ label: word('allLayers'), value: '' }, ...layers];
  const layer = await ask(
    places.map((place) => ({ ...place, description: current(by === now.by && place.value === now.layer) })),
    vscode.l10n.t('Of which layer?'),
  );
  return layer === undefined ? undefined : { by, layer };
}
