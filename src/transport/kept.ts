/**
 * Pieces of a trace as they came from another process, for sending the trace on: what was cut there is not cut again. A piece is
 * dropped when it is taken, and the oldest are dropped if nobody takes them; what is gone is cut anew.
 */
import type { Source } from '../trace/model/trace.js';

interface Place {
  readonly sent: string;
  readonly sequence: number;
  readonly from: number;
}

type Kept = Map<string, Place>;

/** Set on a trace's source, which all partial traces of its run share. By name, as two bundles of this program have this module. */
const key = Symbol.for('gander.pieces');

/** How much of the latest pieces is kept, over all runs. Bytes. */
const most = 64 * 2 ** 20;

/** In the order in which they came. When a trace is freed, so are its pieces. */
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

/** Removes and returns the piece that begins at a place, if it was kept. */
export function taken<P extends Place>(source: Source & { [key]?: Map<string, P> }, place: Place): P | undefined {
  const piece = source[key]?.get(nameOf(place));
  source[key]?.delete(nameOf(place));
  return piece;
}
