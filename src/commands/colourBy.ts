import * as vscode from 'vscode';
import { type Colours, layerName } from '../host/colours.js';
import { word } from '../host/words.js';
import {
  type ColourChoice,
  type Colouring,
  colourings,
  isByLayer,
  lackFor,
  type Overlay,
  shownBy,
} from '../trace/figures/colouring.js';
import type { Routed } from '../routing/store.js';
import { layersOf } from '../trace/model/access.js';
import { layerKey, shownExpertsOf } from '../trace/model/shownExperts.js';
import type { Trace } from '../trace/model/trace.js';
import { asking, type Ask } from './asking.js';
import type { Command } from './services.js';
import { asNode } from './pick.js';
import { nothingRouted, target } from './target.js';

/**
 * Colours the texts by their leading experts (those of one layer, if each has its own experts) or by a number; or one text by what
 * another run or an attribution says of it.
 */
export const colourBy: Command = {
  id: 'gander.colourBy',
  async run(services, arg) {
    const node = asNode(arg);
    if (node?.kind === 'expert-layer') {
      const layer = layerKey(node.layer);
      services.panels.colour(target(services, node), { by: 'experts', layer, over: '' });
      return;
    }
    const routed = target(services);
    const { trace } = routed.main;
    if (!trace) throw nothingRouted();
    const choice = await asking((ask) => pickColour(ask, routed, trace, services.colours));
    if (typeof choice === 'string') services.panels.colour(routed, { ...services.colours.of(routed), over: choice });
    else if (choice) services.panels.colour(routed, { ...choice, over: '' });
  },
};

type Over = Exclude<Overlay, ''>;

async function pickColour(
  ask: Ask,
  routed: Routed,
  trace: Trace,
  colours: Colours,
): Promise<ColourChoice | Over | undefined> {
  const now = colours.of(routed);
  const over = colours.overlayOf(routed.id);
  const current = (is: boolean) => (is ? vscode.l10n.t('current') : '');
  const hasLayerExperts = shownExpertsOf(trace)?.layer !== undefined;
  const experts = hasLayerExperts ? vscode.l10n.t('experts of a layer') : word('colour_leader');
  const titleOf = (one: Colouring) => (one === 'experts' ? experts : word(`colour_${one}`));
  // Differs from the choice if the trace lacks what that needs.
  const shown = shownBy(trace, now).by;
  const by = await ask<Colouring | Over>(
    [
      ...colourings
        .filter((one) => lackFor(trace, one) === undefined)
        .map((value) => ({ label: titleOf(value), description: current(over === '' && value === shown), value })),
      ...overlaysOf(routed).map(({ title, value }) => ({
        label: word(title),
        description: current(value === over),
        value,
      })),
    ],
    vscode.l10n.t('Colour the text by'),
  );
  if (by === undefined || by === 'change' || by === 'attribution') return by;
  if (!isByLayer(by) || (by === 'experts' && !hasLayerExperts)) return { by, layer: '' };
  const layers = layersOf(trace).map((layer) => ({ label: layerName(layer), value: layerKey(layer) }));
  const places = by === 'experts' ? layers : [{ label: word('allLayers'), value: '' }, ...layers];
  const layer = await ask(
    places.map((place) => ({
      ...place,
      description: current(over === '' && by === now.by && place.value === now.layer),
    })),
    vscode.l10n.t('Of which layer?'),
  );
  return layer === undefined ? undefined : { by, layer };
}

/** What else can colour this text. */
function overlaysOf({ main, other }: Routed) {
  return [
    ...(other?.trace ? [{ title: 'colour_change', value: 'change' } as const] : []),
    ...(!other?.trace && main.before ? [{ title: 'colour_changed', value: 'change' } as const] : []),
    ...(main.attribution ? [{ title: 'colour_attribution', value: 'attribution' } as const] : []),
  ];
}
