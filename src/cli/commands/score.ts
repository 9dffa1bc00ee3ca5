import type { ModelInfo, PoolInfo, RouteRequest, RunOptions, Score, ServerInfo } from '../../requests/api.js';
import type { Engine } from '../../requests/ask.js';
import { inParts } from '../../requests/textParts.js';
import { descriptorOf, type Strategy, strategyText } from '../../strategies/index.js';
import { table } from '../../terminal/columns.js';
import { decimal, plain } from '../../trace/text/label.js';
import type { Expert } from '../../trace/model/trace.js';
import type { Arguments, Command, Options } from '../command.js';
import { readText } from '../input.js';
import { json, warningsJson } from '../json.js';
import { anyEngineOptions, jsonOption, kOf, offeredBy, nativeStrategy, targetFor, targetOptions } from '../options.js';
import { UsageError } from '../usage.js';
import { checkExperts, parseStrategy } from '../words.js';

const options = {
  strategies: {
    type: 'string',
    short: 's',
    value: 'list',
    help: 'separated by commas; single stands for each expert (default: all that the pool offers except single)',
  },
  k: {
    type: 'string',
    short: 'k',
    value: 'n',
    help: 'experts per token, if a strategy does not say (default: the pool’s, or the model’s own)',
  },
} as const satisfies Options;

export const score: Command = {
  name: 'score',
  summary: 'bits per byte of files under a list of strategies',
  usage: ['<file>…'],
  examples: [
    ['*.py *.sql --strategies base,phatgoose,single', 'each file under each strategy'],
    ['main.py --model models/gosling-moe', 'a mixture of experts'],
  ],
  options: { ...options, ...targetOptions, ...jsonOption, ...anyEngineOptions },
  async run({ args, out, open, progress, paint, signal }) {
    const files = args.positionals;
    if (files.length === 0) throw new UsageError('Give one or more files to score.');
    const texts = files.map(readText);
    const { engine, model } = await open();
    const output = targetFor(args, model);
    const columns = columnsOf(args, model);

    const scores: Score[][] = [];
    for (const [f, text] of texts.entries()) {
      const row: Score[] = [];
      for (const { name, strategy } of columns) {
        const what = `${plain(files[f]!)}, ${plain(name)}`;
        progress.say(what);
        row.push(
          await scoreInParts(
            engine,
            { text, ...output, ...(strategy && { strategy }) },
            { signal, onProgress: progress.count('tokens', what) },
          ),
        );
      }
      scores.push(row);
    }
    progress.clear();
    const all = columns.map((_, s) => add(scores.map((row) => row[s]!)));
    if (args.flag('json')) {
      const of = (row: Score[]) =>
        columns.map(({ name }, s) => ({
          strategy: name,
          ...row[s]!,
          bitsPerByte: perByte(row[s]!),
        }));
      out(
        json({
          ...modelJson(model),
          ...warningsJson(model.warnings),
          files: files.map((file, f) => ({ file, scores: of(scores[f]!) })),
          all: of(all),
        }),
      );
      return;
    }
    const line = (name: string, row: Score[]) => {
      const least = Math.min(...row.map(perByte));
      return [
        plain(name),
        String(row[0]?.bytes ?? 0),
        ...row.map((s) => (perByte(s) === least ? paint.bold : (x: string) => x)(decimal(perByte(s), 4))),
      ];
    };
    const rows = files.map((file, f) => line(file, scores[f]!));
    if (files.length > 1) rows.push(line('all', all));
    out(
      table(
        ['file', 'bytes', ...columns.map(({ name }) => plain(name))],
        rows,
        `lr${'r'.repeat(columns.length)}`,
        paint,
      ),
    );
    out('\nBits per byte; less is better.\n');
  },
};

/** One way to run the files. */
interface Column {
  readonly name: string;
  readonly strategy?: Strategy;
}

/** @throws UsageError if strategies are given for a model that takes none */
function columnsOf(args: Arguments, model: ModelInfo): Column[] {
  if (model.kind === 'pool') return ofPool(args, model, { ...model, names: model.strategies });
  if (model.kind === 'server' && model.can.strategies.length > 0)
    return ofPool(args, model, { ...offeredBy(model), experts: model.experts });
  const refused = ['strategies', ...(model.kind === 'moe' ? [] : ['k'])].find((name) => args.text(name) !== undefined);
  if (refused !== undefined)
    throw new UsageError(`--${refused} is for pools: ${model.name} routes by its native router.`);
  if (model.kind !== 'moe') return [{ name: model.name }];
  const strategy = nativeStrategy(args);
  return [{ name: strategy ? strategyText(strategy) : model.router.name, ...(strategy && { strategy }) }];
}

function ofPool(
  args: Arguments,
  model: PoolInfo | ServerInfo,
  pool: { readonly topK: number; readonly experts: readonly Expert[]; readonly names: readonly string[] },
): Column[] {
  const asked =
    args.text('strategies')?.split(',') ?? pool.names.filter((name) => descriptorOf(name)?.takes !== 'expert');
  const names = asked.flatMap((name) => (name === 'single' ? pool.experts.map((e) => `single:${e.id}`) : [name]));
  const strategies = names.map((name) => parseStrategy(name.trim(), pool, kOf(args)));
  checkExperts(model, strategies, []);
  return strategies.map((strategy) => ({ name: strategyText(strategy), strategy }));
}

function modelJson(model: ModelInfo): object {
  if (model.kind === 'server') return { source: { kind: model.kind, name: model.name } };
  return { pool: { id: model.kind === 'pool' ? model.id : undefined, hash: model.hash } };
}

function perByte({ bits, bytes }: Score): number {
  return bits / bytes;
}

function add(scores: readonly Score[]): Score {
  return scores.reduce((a, b) => ({ bits: a.bits + b.bits, bytes: a.bytes + b.bytes, tokens: a.tokens + b.tokens }), {
    bits: 0,
    bytes: 0,
    tokens: 0,
  });
}

/** A text longer than the context is scored in parts that fit, each by itself: the same parts under every strategy. */
async function scoreInParts(engine: Engine, request: RouteRequest, options: RunOptions): Promise<Score> {
  const scores: Score[] = [];
  for await (const { result } of inParts(request.text, (text) => engine.score({ ...request, text }, options)))
    scores.push(result);
  return add(scores);
}
