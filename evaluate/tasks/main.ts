/** `npm run evaluate -- --tasks FOLDER`: how often each strategy answers correctly. */
import path from 'node:path';
import type { Engine } from '../../src/requests/ask.js';
import { GanderError } from '../../src/errors/errors.js';
import { asPool } from '../../src/requests/modelInfo.js';
import { Progress } from '../../src/terminal/progress.js';
import { plain } from '../../src/trace/text/label.js';
import { circumstances } from '../circumstances.js';
import { fileName, json, put } from '../files.js';
import type { Options } from '../options.js';
import { Results } from '../results.js';
import { choose } from '../strategies.js';
import { evaluateTasks } from './evaluation.js';
import { readExamples } from './examples.js';
import { taskReport } from './report.js';
import { answer } from './run.js';

const say = (line: string) => void process.stderr.write(`${line}\n`);

/** @returns the exit code: 130 if it was interrupted */
export async function onTasks(engine: Engine, options: Options, cache: string, signal: AbortSignal): Promise<number> {
  const pool = asPool(await engine.info());
  for (const { text } of pool.warnings) say(`warning: ${plain(text)}`);
  const { maxTokens } = options;
  const chosen = choose(pool, options.strategies);
  const examples = readExamples(options.tasks!, options.examples, maxTokens);
  const name = `${fileName(pool.id)}-${fileName(pool.hash.slice(-12))}-tasks.jsonl`;
  const results = new Results(pool.hash, path.join(cache, 'evaluate', name));
  let cancelled = false;
  let broken: GanderError | undefined;
  if (!options.reportOnly) {
    const progress = new Progress(process.stderr, { everyMs: 30_000 });
    const count = progress.count('answers');
    const asking = { hasTarget: pool.hasTarget === true, maxTokens, signal };
    try {
      cancelled = await answer(engine, examples, chosen, results, asking, ({ kind }, strategy, done, of) =>
        count(done, of, plain(`${kind}  ${strategy}`)),
      );
    } catch (thrown) {
      broken = GanderError.from(thrown); // what was answered before is worth a report
    }
    progress.clear();
  }
  const evaluation = evaluateTasks({ ...circumstances(options), maxTokens }, pool, examples, chosen, results);
  const { done, total } = evaluation.work;
  const report = path.join(options.out, 'TASKS.md');
  if (done > 0) {
    put(path.join(options.out, 'tasks.json'), json(evaluation));
    put(report, taskReport(evaluation));
  }
  say(`${done < total ? 'Partial: ' : ''}${done} of ${total} answers. ${done > 0 ? `Report: ${report}` : ''}`);
  if (broken) throw broken;
  return cancelled ? 130 : 0;
}
