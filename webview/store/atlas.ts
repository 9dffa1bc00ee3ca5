/** What the atlas of the model in use knows of a trace's experts. */
import type { AtlasUnit } from '../../src/protocol/atlas.js';
import { says } from '../../src/look/names.js';
import { isSameModel } from '../../src/requests/description.js';
import type { Layer } from '../../src/trace/model/access.js';
import type { ExpertSet, Trace } from '../../src/trace/model/trace.js';
import { plain } from '../../src/trace/text/label.js';
import { plainName } from '../look/names.js';
import { t } from '../look/strings.js';
import type { Store } from './store.js';

/** The atlas, if it is of the model that the trace is from. */
export function atlasOf({ atlas: { value } }: Store, { source }: Trace) {
  return value && isSameModel(value.model, source) ? value : undefined;
}

/** @param layer undefined: over all layers */
export function unitOf(store: Store, trace: Trace, layer: Layer | undefined, id: string): AtlasUnit | undefined {
  return atlasOf(store, trace)?.find.of(layer, id);
}

/** What the atlas calls an expert, unless the expert's own name says that. */
export function calledOf(unit: AtlasUnit | undefined, own: string): string | undefined {
  const name = unit?.name === undefined ? undefined : plain(unit.name);
  return name === undefined || says(own, name) ? undefined : name;
}

/** Both names, or only what the atlas calls it if that has the other in it. */
export function bothNames(own: string, called: string | undefined): string {
  if (called === undefined) return own;
  return says(called, own) ? called : t('atlasNamed', own, called);
}

interface Placed {
  readonly set: ExpertSet;
  readonly layer: Layer | undefined;
}

/** As plainName, with what the atlas calls it: `expert 7 “closing brackets”`. */
export function fullName(store: Store, trace: Trace, { set, layer }: Placed, expert: number): string {
  const own = plainName(set, expert);
  const called = calledOf(unitOf(store, trace, layer, set.experts[expert]!.id), own);
  return bothNames(own, called);
}

/** For a bar, whose badge has the number of an expert of a layer already. */
export function barName(store: Store, trace: Trace, { set, layer }: Placed, expert: number): string {
  const called = calledOf(unitOf(store, trace, layer, set.experts[expert]!.id), plainName(set, expert));
  return set.scope === 'layer' && called !== undefined ? called : fullName(store, trace, { set, layer }, expert);
}
