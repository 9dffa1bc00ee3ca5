/**
 * Parts of a trace as they came from another process, for whoever sends the trace on: what was cut there is not cut again. Each is
 * let go when it is taken, and the oldest where nobody takes them; what is gone is cut anew.
 */
import type { Source } from '../trace/model/trace.js';

interface Place {
  readonly sent: string;
  readonly sequence: number;
  readonly from: number;
}

type Kept = Map<string, Place>;

/** On the source of a trace, which all partial traces of its run share. Two bundles of this program have this module: by name. */
const key = Symbol.for('gander.pieces');

/** Of the last that came, whatever their runs. Bytes. */
const most = 64 * 2 ** 20;

/** In the order in which they came. A trace that is let go takes its own with it. */
const latest: { readonly of: WeakRef<Kept>; readonly name: string; readonly bytes: number }[] = [];
let bytesOfLatest = 0;

const nameOf = ({ sent, sequence, from }: Place): string => `${sent} ${sequence} ${from}`;

export function keep(source: Source & { [key]?: Kept }, piece: Place, bytes: number): void {
  if (!source[key]) Object.defineProperty(source, key, { value: new Map<string, Place>() });
  const kept = source[key]!;
  kept.set(nameOf(piece), piece);
  latest.push({ of: new WeakRef(kept), name: nameOf(piece), bytes });
  bytesOfLatest += bytes;
  while (bytesOfLatest > most) {
    const oldest = latest.shift()!;
    oldest.of.deref()?.delete(oldest.name);
    bytesOfLatest -= oldest.bytes;
  }
}

/** That which begins at a place, if it is there. */
export function taken<P extends Place>(source: Source & { [key]?: Map<string, P> }, place: Place): P | undefined {
  const piece = source[key]?.get(nameOf(place));
  source[key]?.delete(nameOf(place));
  return piece;
}
