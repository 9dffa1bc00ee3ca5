/** Knocks units out where they are chosen, and keeps in the journal what that changed. */
import type { Trace } from '../../trace/model/trace.js';
import {
  type Ablated,
  type Change,
  changeOf,
  type KnockOut,
  type Place,
  placesOf,
  type Trial,
  trialsIn,
} from '../ablation.js';
import { Unfit } from './content.js';
import type { Journal } from './journal.js';
import { type Making, piecesOf } from './make.js';

export interface Ablating extends Pick<Making, 'documents' | 'route' | 'decode'> {
  readonly units: readonly number[];
  /** Runs a trace's text again with something knocked out. */
  readonly rerun: (trace: Trace, knockOut: KnockOut) => Promise<Trace>;
  readonly onDone: (done: number, of: number) => void;
}

/** Leaves out the contexts of documents that have changed since they were read. @throws GanderError what stopped it */
export async function ablateInto(journal: Journal, ablating: Ablating): Promise<readonly Ablated[]> {
  const { units, documents, onDone } = ablating;
  const { contexts, documents: read } = journal.sums!.figures;
  const places = placesOf(units, contexts.kept);
  const hashes = new Map(read.rows.map(({ id, hash }) => [id, hash]));
  const left = new Map<string, Place[]>();
  for (const place of places)
    if (!journal.hasAblated(place)) left.set(place.document, [...(left.get(place.document) ?? []), place]);
  try {
    for await (const document of documents) {
      const here = left.get(document.id);
      if (!here) continue;
      const pieces = piecesOf(document, ablating);
      for await (const piece of unlessUnfit(pieces)) {
        if (piece.document.hash !== hashes.get(document.id)) break;
        for (const trial of trialsIn(piece, here)) {
          journal.addAblated(await ablatedIn(piece.trace, trial, ablating));
          journal.saveIfDue();
          onDone(journal.ablated.length, places.length);
        }
      }
    }
  } finally {
    journal.save();
  }
  return journal.ablated.filter(({ unit }) => units.includes(unit));
}

async function* unlessUnfit<T>(all: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* all;
  } catch (thrown) {
    if (!(thrown instanceof Unfit)) throw thrown;
  }
}

async function ablatedIn(trace: Trace, { place, own, matched }: Trial, { rerun }: Ablating): Promise<Ablated> {
  const change = async (knockOut: KnockOut | undefined): Promise<Change> =>
    knockOut ? changeOf(trace, await rerun(trace, knockOut), knockOut) : { next: null, later: null };
  return { ...place, own: await change(own), matched: await change(matched) };
}
