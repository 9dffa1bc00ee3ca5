/** `gander atlas merge`. */
import { checkSameRun } from '../../atlas/about.js';
import { checkFree, type Made, readMade, writeAtlas } from '../../atlas/files/folder.js';
import { GanderError } from '../../errors/errors.js';
import { plain } from '../../trace/text/label.js';
import type { Context } from '../command.js';
import { json } from '../json.js';
import { UsageError } from '../usage.js';
import { aboutJson, aboutText } from './about.js';

export function merge({ args, out, progress }: Context, given: readonly string[]): Promise<void> {
  const target = args.text('out')?.replace(/[\\/]+$/, '');
  if (given.length < 2) throw new UsageError('Give two or more atlases to merge.');
  if (target === undefined) throw new UsageError('Say where the atlas goes: -o <name>.gander-atlas.');
  checkFree(target);
  const [first, ...others] = given;
  let made = readMade(first!);
  for (const folder of others) {
    progress.say(`merging ${folder}`);
    made = mergedWith(made, readMade(folder));
  }
  progress.clear();
  const about = writeAtlas(target, { ...made, corpus: { ...made.corpus, shard: null } });
  out(args.flag('json') ? json(aboutJson(about)) : `${plain(target)}\n${aboutText(about)}`);
  return Promise.resolve();
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
