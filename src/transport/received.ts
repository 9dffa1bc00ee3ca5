import type { Source } from '../trace/model/trace.js';
import { bytesOf, type Place, type Received, type TracePiece } from './pieces.js';

/**
 * Bytes of all pieces together. They take as much memory again as the traces put together from them: modules lie one after another in a
 * trace, tokens in its pieces, so neither can be a view of the other.
 */
const usualRoom = 64 * 2 ** 20;

interface Run {
  readonly pieces: Map<string, TracePiece>;
  bytes: number;
}

/**
 * The pieces of traces from another process, kept so that they can be sent on without being cut again. They are released with their
 * trace. If there is no room for all, the oldest run's are dropped first, and cut again if they are wanted.
 */
export class ReceivedPieces implements Received {
  /** By the source, which the partial traces of one run share, and no other trace. */
  readonly #of = new WeakMap<Source, Run>();
  /** The oldest first. */
  #runs: readonly WeakRef<Run>[] = [];

  constructor(private readonly room = usualRoom) {}

  keep(source: Source, piece: TracePiece): void {
    let run = this.#of.get(source);
    if (!run) {
      this.#of.set(source, (run = { pieces: new Map(), bytes: 0 }));
      this.#runs = [...this.#runs, new WeakRef(run)];
    }
    run.pieces.set(nameOf(piece), piece);
    run.bytes += bytesOf(piece);
    this.#makeRoom();
  }

  find<P extends Place>(source: Source, place: P): Extract<TracePiece, Pick<P, 'part'>> | undefined {
    return this.#of.get(source)?.pieces.get(nameOf(place)) as Extract<TracePiece, Pick<P, 'part'>> | undefined;
  }

  #makeRoom(): void {
    this.#runs = this.#runs.filter((run) => run.deref());
    const runs = this.#runs.map((run) => run.deref()!);
    let bytes = runs.reduce((sum, run) => sum + run.bytes, 0);
    for (const run of runs) {
      if (bytes <= this.room) return;
      bytes -= run.bytes;
      run.bytes = 0;
      run.pieces.clear();
    }
  }
}

function nameOf(place: Place): string {
  switch (place.part) {
    case 'frame':
      return place.part;
    case 'tokens':
      return `${place.part} ${place.sequence} ${place.kept}`;
    case 'cells':
      return `${place.sent} ${place.sequence} ${place.from}`;
  }
}
