/** What the atlas of the model in use knows of a trace's experts. */
import type { AtlasUnit } from '../../src/protocol/atlas.js';
import { says } from '../../src/look/names.js';
import { isSameModel } from '../../src/requests/description.js';
import type { Layer } from '../../src/trace/model/access.js';
import type { ExpertSet, Trace } from '../../src/trace/model/trace.js';
import { plain } from '../../src/trace/text/label.js';
import { layerName, plainName } from '../look/names.js';
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

export const bothNames = (own: string, called: string | undefined): string =>
  called === undefined ? own : t('atlasNamed', own, called);

interface Placed {
  readonly set: ExpertSet;
  readonly layer?: Layer | undefined;
}

/** The one name of an expert wherever the atlas is at hand, as plainName, with what that calls it: `expert 7 “closing brackets”`. */
export function fullName(store: Store, trace: Trace, { set, layer }: Placed, expert: number): string {
  const own = plainName(set, expert);
  const called = calledOf(unitOf(store, trace, layer, set.experts[expert]!.id), own);
  return bothNames(own, called);
}

/** The same for where its layer is not said, as expertName. */
export function fullNameAt(store: Store, trace: Trace, placed: Placed, expert: number): string {
  const name = fullName(store, trace, placed, expert);
  const { set, layer } = placed;
  return set.scope === 'pool' || !layer ? name : t('expertOfLayer', layerName(layer), name);
}

/** What the words in quotes are in the names of some experts; empty if there are none. */
export function quotedWords(store: Store, trace: Trace, { set, layer }: Placed, experts: readonly number[]): string {
  const quoted = experts.flatMap((expert) => {
    const unit = unitOf(store, trace, layer, set.experts[expert]!.id);
    return unit && calledOf(unit, plainName(set, expert)) !== undefined ? [unit] : [];
  });
  return [
    quoted.some(({ isOwn }) => !isOwn) && t('atlasQuoted'),
    quoted.some(({ isOwn }) => isOwn) && t('atlasQuotedOwn'),
  ]
    .filter(Boolean)
    .join(' ');
}
