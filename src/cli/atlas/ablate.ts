/** `gander atlas make --ablate`. */
import type { CorpusAbout } from '../../atlas/about.js';
import type { Ablated } from '../../atlas/ablation.js';
import { ablateInto } from '../../atlas/files/ablate.js';
import type { CorpusDocument } from '../../atlas/files/corpus.js';
import type { Found } from '../../atlas/files/found.js';
import type { Journal } from '../../atlas/files/journal.js';
import { stdin } from '../../atlas/files/rows.js';
import { decode, type Runner } from '../../atlas/files/runner.js';
import { unitsNamed } from '../../atlas/layout.js';
import type { Sums } from '../../atlas/sums.js';
import { tablesOf } from '../../atlas/tables/index.js';
import { plain } from '../../trace/text/label.js';
import type { Arguments, Context } from '../command.js';
import { UsageError } from '../usage.js';

const specialised = 'specialised';

type Ablation = (
  journal: Journal,
  documents: AsyncIterable<CorpusDocument>,
  context: Context,
) => Promise<readonly Ablated[]>;

/** Says before anything is run what keeps experts from being knocked out. @throws UsageError */
export function ablationOf(args: Arguments, files: readonly Found[], corpus: CorpusAbout, runner: Runner): Ablation {
  const asked = args.text('ablate');
  if (asked === undefined) return () => Promise.resolve([]);
  const { rerun, route } = runner;
  if (!rerun) throw new UsageError('--ablate runs a model: give texts, not saved traces.');
  if (corpus.shard)
    throw new UsageError('--ablate is for a whole corpus: a merged atlas has other contexts than its shards.');
  if (files.some(({ file }) => file === stdin))
    throw new UsageError('--ablate reads documents again: give a file in place of stdin.');
  return async (journal, documents, { progress }) => {
    const units = journal.sums ? unitsOf(journal.sums, asked) : [];
    if (units.length === 0) return [];
    return ablateInto(journal, {
      units,
      documents,
      route,
      decode,
      rerun,
      onDone: progress.count('contexts', 'ablating'),
    });
  };
}

function unitsOf(sums: Sums, asked: string): number[] {
  const found = asked.split(',').flatMap((name) => {
    if (name === specialised)
      return tablesOf(sums).tables.experts.flatMap(({ label }, u) => (label === null ? [] : [u]));
    const units = unitsNamed(sums.layout, name.trim());
    if (units.length === 0) throw new UsageError(`There is no expert "${plain(name)}" in this atlas.`);
    return units;
  });
  return [...new Set(found)];
}
