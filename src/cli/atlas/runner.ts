/** The runner of a corpus that was given on the command line. */
import type { CorpusAbout } from '../../atlas/about.js';
import { areTraces } from '../../atlas/files/corpus.js';
import type { Found } from '../../atlas/files/found.js';
import { noRunner, type Runner, runnerOn } from '../../atlas/files/runner.js';
import { hasTarget } from '../../requests/modelInfo.js';
import type { Context } from '../command.js';
import { askedFor } from '../options.js';
import { UsageError } from '../usage.js';

/** @throws UsageError; GanderError what keeps the model from being opened */
export async function runnerFor(context: Context, files: readonly Found[], corpus: CorpusAbout): Promise<Runner> {
  if (areTraces(files)) return noRunner;
  const opened = await context.open();
  const { model } = opened;
  if (corpus.target !== null && !hasTarget(model))
    throw new UsageError(`--target is for encoder-decoders: ${model.name} goes on with its text.`);
  return runnerOn(opened, askedFor(context.args, model), context.signal);
}
