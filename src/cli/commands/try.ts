import path from 'node:path';
import type { PoolInfo, Similarity } from '../../requests/api.js';
import { asPool, hasTarget } from '../../requests/modelInfo.js';
import { nearestTo } from '../../similarity/pairs.js';
import { type Trial, trialOf } from '../../similarity/trial.js';
import { table } from '../../terminal/columns.js';
import type { Paint } from '../../terminal/paint.js';
import { intervalCell } from '../../trace/exports/tables.js';
import { decimal, layerText, percent, plain, signed } from '../../trace/text/label.js';
import type { Command } from '../command.js';
import { readInput } from '../input.js';
import { json, runJson, warningsJson } from '../json.js';
import { askedFor, engineOptions, inputOptions, jsonOption, strategyOptions, targetFor } from '../options.js';
import { expertName } from '../traceTable.js';
import { UsageError } from '../usage.js';

/** How many of the most similar experts of the pool are listed. */
const mostNear = 5;

export const tryExpert: Command = {
  name: 'try',
  summary: 'whether an expert outside the pool would fit it, and how often it would be chosen; nothing is copied',
  usage: ['<expert folder> [text]', '<expert folder> --file <file>', '<expert folder> < file'],
  examples: [['~/experts/kotlin --file Main.kt', 'on a text that it should know']],
  options: { ...inputOptions, ...strategyOptions, ...jsonOption, ...engineOptions },
  async run({ args, out, open, progress, paint, signal }) {
    const [given, ...texts] = args.positionals;
    if (given === undefined) throw new UsageError('Give the folder of an expert.');
    const text = await readInput({ text: args.text('text'), file: args.text('file') }, texts);
    const tried = path.resolve(given);
    const { engine, model } = await open();
    const pool = asPool(model);
    // An expert that does not fit is refused before anything is run.
    await engine.examine(tried);
    const request = { text, ...targetFor(args, model), ...askedFor(args, model) };
    const without = await engine.route(request, { signal, onProgress: progress.count('tokens', 'without it') });
    // Both runs get the same output.
    const same = hasTarget(model) ? { target: without.sequences.at(-1)!.text ?? '' } : {};
    const having = { ...request, ...same, tried };
    const trace = await engine.route(having, { signal, onProgress: progress.count('tokens', 'with it') });
    const likeness = await engine.similarity({ tried }, { signal, onProgress: progress.count('modules', 'comparing') });
    progress.clear();
    const trial = trialOf(path.basename(tried), without, trace)!;
    const near = nearest(likeness, trial.id);
    if (args.flag('json')) {
      const { logProb, ...rest } = trial;
      out(
        json({
          ...runJson(trace),
          text,
          expert: { id: rest.id, name: rest.name },
          sequences: rest.sequences,
          logProb: { ...logProb, change: logProb.with - logProb.without },
          nearest: near.map(({ expert, ...cosines }) => ({ id: likeness.experts[expert]!.id, ...cosines })),
          ...warningsJson(model.warnings),
        }),
      );
      return;
    }
    out(trialText(trial, pool, paint));
    out(
      table(
        ['most like it by gate', 'gate', 'adapter'],
        near
          .slice(0, mostNear)
          .map(({ expert, gate, adapter }) => [
            expertName(likeness.experts, expert),
            decimal(gate, 3),
            decimal(adapter, 3),
          ]),
        'lrr',
        paint,
      ),
    );
  },
};

/** The pool's own experts, by similarity to the one on trial. */
function nearest({ experts, gate, adapter }: Similarity, id: string) {
  const own = experts.findIndex((expert) => expert.id === id);
  return nearestTo(gate.all, own).map(({ a, b, cosine }) => ({
    expert: a === own ? b : a,
    gate: cosine,
    adapter: adapter.all[a * experts.length + b]!,
  }));
}

function trialText({ name, sequences, logProb }: Trial, pool: PoolInfo, paint: Paint): string {
  const change = logProb.with - logProb.without;
  const verdict = Number.isNaN(change) || change === 0 ? '' : change > 0 ? ' (better)' : ' (worse)';
  const shares = sequences.map(({ role, share, interval, chance, tokens }) => [
    sequences.length > 1 ? plain(role) : 'load',
    percent(share),
    intervalCell(interval),
    percent(chance),
    String(tokens),
  ]);
  const layers = sequences.flatMap((sequence) =>
    sequence.layers.map((layer) => [layerText(layer), percent(layer.share), percent(layer.chance)]),
  );
  return [
    `${paint.bold(plain(name))} fits ${plain(pool.name)}. It was tried, not added.\n\n`,
    table(['', 'load', '95 % interval', 'chance', 'tokens'], shares, 'lrrrr', paint),
    ...(sequences.some(({ smallSample }) => smallSample) ? ['Few tokens: the shares are uncertain.\n'] : []),
    `\nlog-probability ${decimal(logProb.without, 3)} → ${decimal(logProb.with, 3)} nats a token, ${signed(change, 3)}${verdict}\n\n`,
    table(['layer', 'load', 'chance'], layers, 'lrr', paint),
    '\n',
  ].join('');
}
