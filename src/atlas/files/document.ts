/** Reads one document of a corpus again. */
import { GanderError } from '../../errors/errors.js';
import type { DocumentRequest, ReadingCalls } from '../calls.js';
import { rowOf } from '../place.js';
import { type Content, hashOfContent, readWhole, textOf, Unfit } from './content.js';
import { contentOfRow } from './corpus.js';
import { rowsOf } from './rows.js';

/** @throws GanderError `io` if it is not there any more, or no text */
export async function readDocument(request: DocumentRequest): Promise<ReadingCalls['document']['result']> {
  try {
    const content = await contentOf(request);
    const { target } = content;
    return { text: textOf(content.bytes), hash: hashOfContent(content), ...(target !== undefined && { target }) };
  } catch (thrown) {
    if (!(thrown instanceof Unfit)) throw thrown;
    throw gone(request.place, thrown.message, thrown);
  }
}

async function contentOf({ place, fields: { text, target } }: DocumentRequest): Promise<Content> {
  const row = rowOf(place);
  if (!row) return { bytes: readWhole(place) };
  const columns = [text, ...(target === null ? [] : [target])];
  for await (const { number, fields } of rowsOf(row.file, columns, columns))
    if (number === row.number) return contentOfRow(fields, { text, ...(target !== null && { target }) });
  throw gone(place, 'is not there any more');
}

function gone(place: string, why: string, cause?: unknown): GanderError {
  return new GanderError('io', `${place} ${why}.`, 'Put the document back to where it was.', { cause });
}
