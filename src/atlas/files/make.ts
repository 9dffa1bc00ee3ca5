/** Makes the sums of an atlas from documents. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { GanderError } from '../../errors/errors.js';
import { finished } from '../../trace/model/finished.js';
import type { Trace } from '../../trace/model/trace.js';
import { checkSameRun, runOf } from '../about.js';
import type { AtlasDocument, Piece } from '../figure.js';
import { placedIn } from '../layout.js';
import type { Done } from '../pace.js';
import { Sums } from '../sums.js';
import { hashOfContent, textOf, Unfit } from './content.js';
import type { CorpusDocument } from './corpus.js';
import { Journal } from './journal.js';

/** A document's trace or, if the document was split, that of one part, which begins at offset `at` of the text. */
export interface TracedPart {
  readonly trace: Trace;
  readonly at: number;
}

/** @param target the output that an encoder-decoder is given */
export type Route = (text: string, target?: string) => AsyncIterable<TracedPart>;

export interface Making {
  /** The folder to write. */
  readonly target: string;
  /** Everything that must be the same for a run to continue another. */
  readonly asked: object;
  readonly documents: AsyncIterable<CorpusDocument>;
  readonly route: Route;
  /** How many documents are run at once; merged sums do not depend on their order. */
  readonly atOnce: number;
  /** @throws GanderError if the bytes are not a trace */
  readonly decode: (bytes: Uint8Array) => Trace;
  readonly onDone?: (done: Done) => void;
}

/** Errors of a single document, which is then left out. */
const ofDocument = new Set([
  'text-empty',
  'text-too-long',
  'trace-invalid',
  'trace-newer',
  'server-failed',
  'server-invalid',
]);

/**
 * Reads all documents into a journal, which is saved however it ends.
 * @throws GanderError what stopped it; `cancelled` if a person did
 */
export async function readInto(making: Making): Promise<Journal> {
  const journal = new Journal(making.target, JSON.stringify(making.asked));
  const seen = new Set<string>();
  try {
    await eachOf(making.documents, making.atOnce, async (document) => {
      const again = seen.has(document.id);
      const before = !again && journal.has(document.id);
      seen.add(document.id);
      const tokens = before ? 0 : await readOne(document, again, making, journal);
      making.onDone?.({ document: document.id, bytes: document.bytes, tokens, before });
    });
  } finally {
    journal.save();
  }
  return journal;
}

/** Acts on several at once; after one has failed, none is begun, and those under way are waited for. @throws what the first threw */
async function eachOf<T>(all: AsyncIterable<T>, atOnce: number, act: (one: T) => Promise<void>): Promise<void> {
  const left = all[Symbol.asyncIterator]();
  let failed: { readonly thrown: unknown } | undefined;
  const worker = async () => {
    try {
      for (let next = await left.next(); !next.done && !failed; next = await left.next()) await act(next.value);
    } catch (thrown) {
      failed ??= { thrown };
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (failed) throw failed.thrown;
}

/** @returns the number of tokens */
async function readOne(document: CorpusDocument, again: boolean, making: Making, journal: Journal): Promise<number> {
  let tokens = 0;
  try {
    if (again) throw new Unfit('has the same id as another document');
    const sums = await sumsOf(document, making, journal);
    journal.add(sums);
    tokens = sums.figures.documents.rows[0]!.tokens;
  } catch (thrown) {
    journal.leaveOut({ document: document.id, why: whyLeftOut(thrown) });
  }
  journal.saveIfDue();
  return tokens;
}

/** The reason for leaving out one document; any other error is thrown again. */
export function whyLeftOut(thrown: unknown): string {
  if (thrown instanceof Unfit) return thrown.message;
  if (thrown instanceof GanderError && ofDocument.has(thrown.code)) return thrown.message;
  throw thrown;
}

async function sumsOf(found: CorpusDocument, making: Making, journal: Journal): Promise<Sums> {
  let sums: Sums | undefined;
  let document: AtlasDocument | undefined;
  for await (const piece of piecesOf(found, making)) {
    const run = runOf(piece.trace);
    journal.run ??= run;
    checkSameRun(journal.run, run);
    sums ??= new Sums(piece.layout);
    // The engine begins its next document once its last answer has left, so that must not wait for all of the counting.
    for (const _figure of sums.adding(piece)) await nextTurn();
    document = piece.document;
  }
  if (!sums || !document) throw new Unfit('is empty');
  sums.close(document);
  return sums;
}

/** A document's traces, in order. @throws Unfit, GanderError */
export async function* piecesOf(
  found: CorpusDocument,
  { route, decode }: Pick<Making, 'route' | 'decode'>,
): AsyncGenerator<Piece, void> {
  const content = found.read();
  const { bytes, target } = content;
  const { id, label, place } = found;
  const document: AtlasDocument = { id, label, place, hash: hashOfContent(content) };
  const parts = found.kind === 'trace' ? [{ trace: decode(bytes), at: 0 }] : route(textOf(bytes), target);
  let before: Piece['before'] = [];
  for await (const { trace: given, at } of parts) {
    const trace = finished(given);
    // `at` is in the document; what an encoder-decoder writes for its parts is one output after the other.
    before = trace.sequences.map((_, s) => ({
      tokens: before[s]?.tokens ?? 0,
      text: s === 0 ? at : (before[s]?.text ?? 0),
    }));
    yield { ...placedIn(trace), document, trace, before };
    before = trace.sequences.map(({ tokens, text }, s) => ({
      tokens: before[s]!.tokens + tokens.count,
      text: before[s]!.text + (text?.length ?? 0),
    }));
  }
}
