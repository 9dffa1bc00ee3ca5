/** Turns the journal of a finished run into the atlas. */
import { GanderError } from '../../errors/errors.js';
import { plain } from '../../trace/text/label.js';
import type { About, CorpusAbout, LeftOut } from '../about.js';
import type { Ablated } from '../ablation.js';
import { writeAtlas } from './folder.js';
import type { Journal } from './journal.js';

/** @throws GanderError `text-empty` if no document could be read; `io` */
export function finish(journal: Journal, target: string, corpus: CorpusAbout, ablated: readonly Ablated[] = []): About {
  const { run, sums, leftOut } = journal;
  if (!run || !sums) throw new GanderError('text-empty', nothing(leftOut), 'Give files that contain UTF-8 text.');
  const about = writeAtlas(target, { run, sums, leftOut, corpus, ablated });
  journal.remove();
  return about;
}

function nothing(leftOut: readonly LeftOut[]): string {
  const [first] = leftOut;
  if (!first) return 'There is no document in this part of the corpus.';
  return `None of ${leftOut.length} documents could be read; ${plain(first.document)} ${first.why}.`;
}
