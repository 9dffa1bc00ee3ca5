/** `gander atlas make`. */
import { type CorpusDocument, documentsOf } from '../../atlas/files/corpus.js';
import { checkFree, finish } from '../../atlas/files/finish.js';
import { bytesOf } from '../../atlas/files/found.js';
import { holding } from '../../files/hold.js';
import { lookAt } from '../../atlas/files/look.js';
import { readInto, type Route } from '../../atlas/files/make.js';
import { decode } from '../../atlas/files/runner.js';
import { type Done, paceOver } from '../../atlas/pace.js';
import { folderEnding } from '../../atlas/place.js';
import { GanderError } from '../../errors/errors.js';
import { bar } from '../../look/bar.js';
import { plain } from '../../trace/text/label.js';
import { duration } from '../../words/duration.js';
import type { Arguments, Context, Options } from '../command.js';
import { json } from '../json.js';
import { UsageError } from '../usage.js';
import { aboutJson, aboutText } from './about.js';
import { ablationOf } from './ablate.js';
import { corpusOf } from './corpus.js';
import { runnerFor } from './runner.js';

export const makeOptions = {
  ablate: {
    type: 'string',
    value: 'experts',
    help: 'make: knock out experts where they are chosen: ids or 3.7, separated by commas, or specialised',
  },
  'dry-run': { type: 'boolean', help: 'make: only say how many tokens and how much time it would take' },
} as const satisfies Options;

export async function make(context: Context, given: readonly string[]): Promise<void> {
  const { args } = context;
  const target = targetOf(args);
  const { files, about: corpus, options } = corpusOf(args, given);
  const runner = await runnerFor(context, files, corpus);
  if (args.flag('dry-run')) {
    await dryRun(context, documentsOf(files, options), runner.route);
    return;
  }
  const ablation = ablationOf(args, files, corpus, runner);
  const made = await holding(target, async () => {
    checkFree(target);
    const journal = await readInto({
      ...runner,
      target,
      asked: { ...runner.asked, corpus },
      documents: documentsOf(files, options),
      decode,
      onDone: progressOver(context, bytesOf(files)),
    });
    const ablated = await ablation(journal, documentsOf(files, options), context);
    context.progress.clear();
    return finish(journal, target, corpus, ablated);
  }).catch((thrown: unknown) => {
    throw stopped(thrown);
  });
  context.out(args.flag('json') ? json(aboutJson(made)) : `${plain(target)}\n${aboutText(made)}`);
}

/** Says that what is done is kept. */
function stopped(thrown: unknown): unknown {
  if (!(thrown instanceof GanderError && thrown.code === 'cancelled')) return thrown;
  return new GanderError('cancelled', 'Stopped; what is done is kept.', 'Run the same command to continue.', {
    cause: thrown,
  });
}

function targetOf(args: Arguments): string {
  const target = args.text('out');
  if (args.flag('dry-run')) return target ?? '';
  if (target === undefined) throw new UsageError(`Say where the atlas goes: -o <name>${folderEnding}.`);
  return target.replace(/[\\/]+$/, '');
}

/** One line: what is done, how fast, and the time that is left. */
function progressOver({ progress, signal }: Context, total: number): (done: Done) => void {
  const paceOf = paceOver(total);
  return (done) => {
    const { documents, tokens, tokensPerSecond, share, leftMs } = paceOf(done);
    // How much comes on stdin is not known.
    const drawn = share === undefined ? '' : `${bar(share, 20)} `;
    const left = leftMs === undefined ? '' : `, ${duration(leftMs)} left`;
    progress.say(`${drawn}${documents} documents, ${tokens} tokens, ${tokensPerSecond} tokens/s${left}`);
    if (signal.aborted) throw new GanderError('cancelled', 'Stopped.', 'Start it again to continue.');
  };
}

async function dryRun(
  { args, out, progress, signal }: Context,
  documents: AsyncIterable<CorpusDocument>,
  route: Route,
): Promise<void> {
  const plan = await lookAt({ documents, route, signal, onLook: (id) => progress.say(`looking at ${plain(id)}`) });
  progress.clear();
  if (args.flag('json')) {
    out(json(plan));
    return;
  }
  const { bytes, labels, leftOut, estimate } = plan;
  out(`${plan.documents} documents of ${bytes} bytes, ${labels.length} labels\n`);
  if (estimate)
    out(
      `about ${estimate.tokens} tokens and ${duration(1000 * estimate.seconds)}, judging by the first ${estimate.from}\n`,
    );
  out(leftOut.map(({ document, why }) => `left out: ${plain(document)} ${plain(why)}\n`).join(''));
}
