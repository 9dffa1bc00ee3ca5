/** The margin beside lines: what colours the text, as a raster with one row over its tokens. */
import type { Side } from '../../src/protocol/panel.js';
import { isMeasure } from '../../src/trace/figures/colouring.js';
import { layerOf } from '../../src/trace/model/shownExperts.js';
import type { Trace } from '../../src/trace/model/trace.js';
import type { Store } from '../store/store.js';
import { attributionIn } from '../store/attribution.js';
import { measuredOf } from '../store/sums.js';
import { withAbsent } from './change.js';
import type { Columns } from './columns.js';
import { blank, rasterOf, withNumbers, type Raster, type Row } from './model.js';

/** Undefined if nothing colours the text, or while its colours are being computed. */
export function marginOf(store: Store, name: Side, trace: Trace, columns: Columns): Raster | undefined {
  const side = store.side(name);
  const shownExperts = side.shownExperts.value;
  const row: Row = { layer: 0, module: -1, kind: '', parts: shownExperts?.parts ?? [] };
  const by = store.colouredBy.value;
  if (by === 'nothing') return undefined;
  if (isMeasure(by)) {
    // Numbers need scores, which come last.
    const lazy = side.trace.value ?? trace;
    const layer = layerOf(trace, store.view.measureLayer.value);
    const found = columns.spans.map(({ sequence }) => measuredOf(lazy, sequence, by, layer));
    const made = blank(by, [row], columns);
    const value = new Float32Array(columns.count).fill(NaN);
    columns.spans.forEach(({ from }, i) => value.set(found[i]!.value, from));
    return withNumbers(made, by, value);
  }
  if (by === 'change') {
    const { changes, partners, against } = store;
    if (!changes.value) return undefined;
    const isSigned = changes.value[0]?.by === 'logProb';
    const change = new Float32Array(columns.count).fill(NaN);
    const made = { ...blank(isSigned ? 'change' : 'difference', [row], columns), ...(isSigned && { change }) };
    for (const { sequence, from, count } of columns.spans) {
      const { value, most } = changes.value[sequence]!;
      const back = name === 'other' ? partners.value?.[sequence]?.back : undefined;
      for (let t = 0; t < count; t++) {
        const x = value[back ? (back[t] ?? -1) : t] ?? NaN;
        if (Number.isNaN(x)) continue;
        change[from + t] = x;
        mark(made, from + t, isSigned && x >= 0 ? 1 : 0, Math.min(1, Math.abs(x) / (isSigned ? most : 1)));
      }
    }
    const [main, other] = [store.main.choices.value, against.value];
    if (!main || !other || !partners.value) return made;
    const sides = name === 'main' ? { here: main, there: other } : { here: other, there: main };
    return withAbsent(made, sides, partners.value, name);
  }
  const attribution = side.attribution.value;
  const last = columns.spans.at(-1);
  if (by === 'attribution' && attribution && last && shownExperts && !shownExperts.layer) {
    // Attribution names experts of all layers, which are in the set in sight.
    const { expert, nats } = attributionIn(attribution);
    const places = attribution.experts.map(({ id }) => shownExperts.set.experts.findIndex((one) => one.id === id));
    const made = blank('experts', [row], columns);
    expert.forEach((e, t) => {
      if (e >= 0 && places[e]! >= 0) mark(made, last.from + t, places[e]!, nats[t]!);
    });
    return made;
  }
  return shownExperts && rasterOf(trace, [row], columns, store.view.filter.value, shownExperts.set);
}

function mark({ expert, strength }: Raster, cell: number, which: number, strong: number): void {
  expert[cell] = which;
  strength[cell] = strong;
}
