import path from 'node:path';
import { parseArgs } from 'node:util';
import { GanderError } from '../src/errors/errors.js';

export interface Options {
  /** Folders, relative to the working folder or absolute. */
  readonly pool: string;
  readonly corpora: string;
  /** Folder for EVALUATION.md and evaluation.json. */
  readonly out: string;
  readonly figures: string;
  readonly cache: string;
  readonly kinds?: readonly string[];
  /** A folder of tasks to answer instead of documents. */
  readonly tasks?: string;
  /** Most examples per task, and most tokens of an answer in free text. */
  readonly examples: number;
  readonly maxTokens: number;
  readonly strategies?: readonly string[];
  readonly documents: number;
  readonly tokens: number;
  /** Documents of each expert's own test split; 0 for none. */
  readonly own: number;
  readonly threads: number;
  readonly seed: number;
  /** Only write the report of existing results. */
  readonly reportOnly: boolean;
  /** Reuse what an earlier evaluation.json of the same pool has. */
  readonly goOn: boolean;
}

export const help = `npm run evaluate -- [options]

Bits per byte of every strategy on held-out documents, and what the router did there.
Continues where it was interrupted. Writes EVALUATION.md and evaluation.json.

  --pool FOLDER        the pool (models/smollm2-135m)
  --tasks FOLDER       accuracy on tasks instead, one JSONL file per task; writes TASKS.md and tasks.json
  --examples N         examples per task (1000)
  --max-tokens N       most tokens of an answer in free text (64)
  --corpora FOLDER     made by gander-training corpora (training/.corpora)
  --kinds A,B          kinds of held-out documents (all)
  --documents N        documents per kind (30)
  --tokens N           tokens per document (512)
  --strategies A,B     for example base,phatgoose:1,arrow:3,single:python; single means every expert (all)
  --own N              documents of each expert's own test split (0)
  --threads N          0: as many as onnxruntime chooses (0)
  --seed N             seed of the bootstrap (1)
  --report             only write the report of existing results
  --continue           reuse what is in FOLDER/evaluation.json (--out), if it is of the same pool
  --out FOLDER         for EVALUATION.md and evaluation.json (the pool)
  --figures FOLDER     for the pictures (docs/figures)
  --cache FOLDER       for results and composed graphs (.cache)
`;

/** @returns undefined for --help @throws GanderError `request-invalid` */
export function parseOptions(args: readonly string[]): Options | undefined {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      strict: true,
      options: {
        pool: { type: 'string', default: 'models/smollm2-135m' },
        corpora: { type: 'string', default: 'training/.corpora' },
        kinds: { type: 'string' },
        tasks: { type: 'string' },
        examples: { type: 'string', default: '1000' },
        'max-tokens': { type: 'string', default: '64' },
        documents: { type: 'string', default: '30' },
        tokens: { type: 'string', default: '512' },
        strategies: { type: 'string' },
        own: { type: 'string', default: '0' },
        threads: { type: 'string', default: '0' },
        seed: { type: 'string', default: '1' },
        report: { type: 'boolean', default: false },
        continue: { type: 'boolean', default: false },
        out: { type: 'string' },
        figures: { type: 'string', default: 'docs/figures' },
        cache: { type: 'string', default: '.cache' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }));
  } catch (cause) {
    throw new GanderError('request-invalid', cause instanceof Error ? cause.message : String(cause), 'See --help.', {
      cause,
    });
  }
  if (values.help) return undefined;
  const { kinds, strategies } = values;
  return {
    pool: values.pool,
    corpora: values.corpora,
    out: values.out ?? values.pool,
    figures: values.figures,
    cache: values.cache,
    ...(kinds !== undefined && { kinds: list(kinds) }),
    ...(values.tasks !== undefined && { tasks: values.tasks }),
    examples: whole('examples', values.examples, 1),
    maxTokens: whole('max-tokens', values['max-tokens'], 1),
    ...(strategies !== undefined && { strategies: list(strategies) }),
    documents: whole('documents', values.documents, 1),
    tokens: whole('tokens', values.tokens, 2),
    own: whole('own', values.own, 0),
    threads: whole('threads', values.threads, 0),
    seed: whole('seed', values.seed, 0),
    reportOnly: values.report,
    goOn: values.continue,
  };
}

const list = (value: string) =>
  value
    .split(',')
    .map((v) => v.trim())
    .filter((v) => v !== '');

function whole(name: string, value: string, least: number): number {
  if (/^\d{1,9}$/.test(value) && Number(value) >= least) return Number(value);
  throw new GanderError(
    'request-invalid',
    `--${name} is "${value}"; it must be a whole number from ${least}.`,
    'See --help.',
  );
}

/** The command that reproduces this report, without absolute paths. */
export function commandOf(options: Options, cwd: string): string {
  const relative = (folder: string) => {
    const within = path.relative(cwd, path.resolve(cwd, folder)).split(path.sep).join('/');
    return within.startsWith('..') || path.isAbsolute(within) ? `…/${path.basename(folder)}` : within || '.';
  };
  const words = [`--pool ${relative(options.pool)}`];
  if (options.tasks === undefined) {
    words.push(`--corpora ${relative(options.corpora)}`);
    if (options.kinds) words.push(`--kinds ${options.kinds.join(',')}`);
    words.push(`--documents ${options.documents}`, `--tokens ${options.tokens}`);
  } else {
    words.push(`--tasks ${relative(options.tasks)}`, `--examples ${options.examples}`);
    words.push(`--max-tokens ${options.maxTokens}`);
  }
  if (options.strategies) words.push(`--strategies ${options.strategies.join(',')}`);
  if (options.tasks === undefined && options.own > 0) words.push(`--own ${options.own}`);
  if (options.seed !== 1) words.push(`--seed ${options.seed}`);
  return `npm run evaluate -- ${words.join(' ')}`;
}
