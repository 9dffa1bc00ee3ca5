/** Turns the journal of a finished run into the atlas. */
import { existsSync } from 'node:fs';
import { GanderError } from '../../errors/errors.js';
import { plain } from '../../trace/text/label.js';
import type { About, CorpusAbout, LeftOut } from '../about.js';
import type { Ablated } from '../ablation.js';
import { readAbout, writeAtlas } from './folder.js';
import { forgetWritten, type Journal } from './journal.js';

/** @throws GanderError `io` if something with this name exists */
export function checkFree(target: string): void {
  if (!existsSync(target)) return;
  forgetIfWritten(target);
  throw new GanderError('io', `${target} already exists.`, 'Give another name, or remove it first.');
}

/** Whoever removes the atlas to make it anew would otherwise continue the old run. */
function forgetIfWritten(target: string): void {
  try {
    forgetWritten(target, readAbout(target).corpus.fingerprint);
  } catch (thrown) {
    // It is no atlas, or the journal is another's.
    if (!(thrown instanceof GanderError)) throw thrown;
  }
}

/** @throws GanderError `text-empty` if no document could be read; `io` */
export function finish(journal: Journal, target: string, corpus: CorpusAbout, ablated: readonly Ablated[] = []): About {
  const { run, sums, leftOut } = journal;
  if (!run || !sums) {
    // Another run must read again what may contain text by then.
    journal.remove();
    throw new GanderError('text-empty', nothing(leftOut), 'Give files that contain UTF-8 text.');
  }
  const about = writeAtlas(target, { run, sums, leftOut, corpus, ablated });
  journal.remove();
  return about;
}

function nothing(leftOut: readonly LeftOut[]): string {
  const [first] = leftOut;
  if (!first) return 'There is no document in this part of the corpus.';
  return `None of ${leftOut.length} documents could be read; ${plain(first.document)} ${first.why}.`;
}
