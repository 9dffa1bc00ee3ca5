/** How a model's answers are sent over a channel: traces in pieces, all else as it is. */
import { type Cutter, whole } from '../channel/answerer.js';
import { inOne, type Joiner } from '../channel/caller.js';
import { isCount, isObject } from '../checks/plain.js';
import type { Attribution } from '../requests/api.js';
import { type RequestName, rowOf } from '../requests/table.js';
import type { Source, Trace } from '../trace/model/trace.js';
import { isTraceHead, isTracePiece } from './checks.js';
import { headOf, TraceBuilder, TraceSender } from './pieces.js';
import type { ReceivedPieces } from './received.js';

class TraceCutter implements Cutter {
  readonly #sender = new TraceSender();

  *pieces(trace: Trace): Iterable<unknown> {
    yield* this.#sender.first(trace);
    yield* this.#sender.deferred(trace);
  }

  head(trace: Trace): unknown {
    return headOf(trace);
  }
}

/** Keeps the pieces that arrive, if they are to be sent on. */
class TraceJoiner implements Joiner {
  readonly #builder = new TraceBuilder();
  #source: Source | undefined;

  constructor(private readonly received: ReceivedPieces | undefined) {}

  add(piece: unknown): void {
    if (!isTracePiece(piece)) throw new TypeError('not a piece of a trace');
    this.#builder.add(piece);
    if (piece.part === 'frame') this.#source = piece.frame.source;
    this.received?.keep(this.#source!, piece);
  }

  join(head: unknown): Trace {
    if (!isTraceHead(head)) throw new TypeError('not the head of a trace');
    return this.#builder.build(head);
  }
}

/** Checks of what is put together on arrival. Other answers are the asker's business, as long as they are data. */
const checks: Readonly<Partial<Record<RequestName, (data: Readonly<Record<string, unknown>>) => boolean>>> = {
  attribute: isAttribution,
};

export function cutterOf(name: RequestName): Cutter {
  return rowOf(name).gives === 'trace' ? new TraceCutter() : whole;
}

/** @param received keeps the pieces of traces, where these are sent on */
export function joinerOf(name: RequestName, received?: ReceivedPieces): Joiner {
  if (rowOf(name).gives === 'trace') return new TraceJoiner(received);
  return inOne((data) => {
    if (!isObject(data) || checks[name]?.(data) === false) throw new TypeError(`not an answer to ${name}`);
    return data;
  });
}

function isAttribution(value: Readonly<Record<string, unknown>>): boolean {
  const { experts, logProb, change, of } = value as Partial<Record<keyof Attribution, unknown>>;
  return (
    Array.isArray(experts) &&
    experts.every((one) => isObject(one) && typeof one['id'] === 'string' && typeof one['name'] === 'string') &&
    logProb instanceof Float32Array &&
    change instanceof Float32Array &&
    change.length === logProb.length * experts.length &&
    (of === undefined || isCount(of))
  );
}
