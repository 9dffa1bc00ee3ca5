import { performance } from 'node:perf_hooks';
import { textTokens } from '../../trace/model/access.js';
import { median } from '../../statistics/quantile.js';
import { decimal } from '../../trace/text/label.js';
import { table } from '../../terminal/columns.js';
import type { Trace } from '../../trace/model/trace.js';
import { usualStrategy } from '../../strategies/index.js';
import type { Command, Options } from '../command.js';
import { json, warningsJson } from '../json.js';
import { engineOptions, jsonOption } from '../options.js';
import { asLocal } from '../../requests/modelInfo.js';
import { parseCount } from '../words.js';

const options = {
  runs: { type: 'string', value: 'n', help: 'how often each is run; medians are shown (default: 5)' },
} as const satisfies Options;

const lengths = [64, 256, 1024];
const generated = 32;

/** Prose and code by turns, so that every expert has something to do. */
const passage =
  'The river was low that year, and the old bridge stood on dry stones. def mean(values): return sum(values) / len(values) ' +
  'SELECT name, count(*) FROM birds WHERE seen > 3 GROUP BY name; If x + 3 = 10, then x = 7, and its square is 49. ';

export const bench: Command = {
  name: 'bench',
  summary: 'how fast this machine routes and generates with a pool',
  usage: [''],
  examples: [
    ['', 'the pool that ships'],
    ['--model models/gosling-moe --runs 9 --json', 'a mixture, for a script'],
  ],
  options: { ...options, ...jsonOption, ...engineOptions },
  async run({ args, out, openHere, progress, paint, signal }) {
    args.noPositionals();
    const runs = parseCount(args.text('runs') ?? '5', '--runs');
    const startedAt = performance.now();
    // In this process, so that time and memory are the engine's alone.
    const { engine, model: opened } = await openHere();
    const model = asLocal(opened);
    const asked = model.kind === 'pool' ? { strategy: { name: usualStrategy(model.strategies), k: model.topK } } : {};
    progress.say('starting');
    const once = await engine.route({ text: passage, ...asked }, { signal });
    const start = performance.now() - startedAt;

    const routes: { tokens: number; ms: number }[] = [];
    for (const tokens of lengths.filter((n) => n < model.contextLength)) {
      const text = ofTokens(tokens, once);
      let done = 0;
      const times: number[] = [];
      for (let r = 0; r < runs; r++) {
        progress.say(`routing ${tokens} tokens, run ${r + 1} of ${runs}`);
        times.push(await timed(async () => (done = tokensIn(await engine.route({ text, ...asked }, { signal })))));
      }
      routes.push({ tokens: done, ms: median(times) });
    }
    // A model may end its text early, so the generated tokens are counted.
    const request = { text: 'Once', ...asked, maxTokens: generated };
    const prompt = tokensIn(await engine.route({ text: request.text, ...asked }, { signal }));
    let made = 0;
    const times: number[] = [];
    for (let r = 0; r < runs; r++) {
      progress.say(`generating ${generated} tokens, run ${r + 1} of ${runs}`);
      times.push(await timed(async () => (made = tokensIn(await engine.generate(request, { signal })) - prompt)));
    }
    progress.clear();
    const perSecond = (1000 * made) / median(times);
    const peak = process.resourceUsage().maxRSS / 1024;
    if (args.flag('json')) {
      out(
        json({
          pool: { id: model.kind === 'pool' ? model.id : undefined, hash: model.hash },
          ...warningsJson(model.warnings),
          startMs: start,
          route: routes,
          generateTokensPerSecond: perSecond,
          peakMegabytes: peak,
        }),
      );
      return;
    }
    const rows = [
      ['start (cached graph, if there was one)', `${decimal(start, 0)} ms`],
      ...routes.map(({ tokens, ms }) => [`route ${tokens} tokens`, `${decimal(ms, 1)} ms`]),
      [`generate ${made} tokens`, `${decimal(perSecond, 1)} tokens/s`],
      ['peak memory', `${decimal(peak, 0)} MB`],
    ];
    out(table(['median of ' + String(runs), ''], rows, 'lr', paint));
  },
};

const tokensIn = (trace: Trace) => trace.sequences[0]!.done;

/** A text of about so many tokens: whole passages, then part of one. */
function ofTokens(tokens: number, once: Trace): string {
  const [sequence] = once.sequences;
  const text = textTokens(sequence!);
  const rest = text[(tokens % text.length) - 1];
  return (
    passage.repeat(Math.floor(tokens / text.length)) +
    passage.slice(0, rest === undefined ? 0 : sequence!.tokens.end?.[rest])
  );
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await act();
  return performance.now() - from;
}
