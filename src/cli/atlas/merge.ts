/** `gander atlas merge`. */
import { checkSameRun } from '../../atlas/about.js';
import { checkFree } from '../../atlas/files/finish.js';
import { type Made, readMade, writeAtlas } from '../../atlas/files/folder.js';
import { holding } from '../../files/hold.js';
import { readNames } from '../../atlas/files/names.js';
import { layerName } from '../../atlas/layout.js';
import { mergedNames, type OtherName } from '../../atlas/names.js';
import { GanderError } from '../../errors/errors.js';
import { plain } from '../../trace/text/label.js';
import type { Context } from '../command.js';
import { json } from '../json.js';
import { UsageError } from '../usage.js';
import { aboutJson, aboutText } from './about.js';

export async function merge({ args, out, progress }: Context, given: readonly string[]): Promise<void> {
  const target = args.text('out')?.replace(/[\\/]+$/, '');
  if (given.length < 2) throw new UsageError('Give two or more atlases to merge.');
  if (target === undefined) throw new UsageError('Say where the atlas goes: -o <name>.gander-atlas.');
  const { names, others } = mergedNames(given.map((folder) => ({ atlas: folder, names: readNames(folder) })));
  const about = await holding(target, () => {
    checkFree(target);
    const [first, ...rest] = given;
    let made = readMade(first!);
    for (const folder of rest) {
      progress.say(`merging ${folder}`);
      made = mergedWith(made, readMade(folder));
    }
    progress.clear();
    return writeAtlas(target, { ...made, names, corpus: { ...made.corpus, shard: null } });
  });
  if (args.flag('json')) out(json({ ...aboutJson(about), otherNames: others }));
  else out(`${plain(target)}\n${aboutText(about)}${others.map(otherNameLine).join('')}`);
}

function otherNameLine({ unit, kept, other }: OtherName): string {
  return (
    `${layerName(unit)}, expert ${unit.expert} keeps the name "${plain(kept.name)}" of ${plain(kept.atlas)}; ` +
    `${plain(other.atlas)} calls it "${plain(other.name)}"\n`
  );
}

function mergedWith(made: Made, other: Made): Made {
  checkSameRun(made.run, other.run);
  const differs = (['label', 'text', 'id', 'target'] as const).find(
    (field) => made.corpus[field] !== other.corpus[field],
  );
  if (differs !== undefined)
    throw new GanderError(
      'request-invalid',
      `The corpora were read with different values of --${differs}.`,
      'Make the parts with the same options.',
    );
  made.sums.merge(other.sums);
  return { ...made, leftOut: [...made.leftOut, ...other.leftOut] };
}
