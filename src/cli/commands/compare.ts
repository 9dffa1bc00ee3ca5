import { isCutAlike } from '../../trace/alignment/align.js';
import { type Difference, difference } from '../../trace/figures/difference.js';
import { fit, table } from '../../terminal/columns.js';
import type { Paint } from '../../terminal/paint.js';
import { interventionText, layerText, plain, routerText, tokenText, visible } from '../../trace/text/label.js';
import {
  agreementCells,
  agreementHead,
  loadChangeHead,
  loadChanges,
  tokenChangeHead,
  tokenChanges,
} from '../../trace/exports/tables.js';
import type { Warning } from '../../requests/description.js';
import { words } from '../../words/words.js';
import { layerExpertsNote } from '../../trace/figures/summary.js';
import type { Trace } from '../../trace/model/trace.js';
import type { Command, Context, Opened, Options } from '../command.js';
import { readInput, readText, readTrace } from '../input.js';
import { json, runJson, warningsJson } from '../json.js';
import { anyEngineOptions, askedFor, runOptions, strategyBeside, targetFor, targetOptions } from '../options.js';
import { expertName } from '../traceTable.js';
import { UsageError } from '../usage.js';
import { checkExperts } from '../words.js';

const options = {
  text: { type: 'string', short: 't', value: 'text', help: 'the text' },
  file: {
    type: 'string',
    short: 'f',
    multiple: true,
    value: 'file',
    help: 'read a text from a file; twice for two texts',
  },
  with: { type: 'string', short: 'w', value: 'strategy', help: 'the second run’s strategy' },
  'with-engine': {
    type: 'string',
    value: 'address|folder',
    help: 'run the second there: a server (GANDER_WITH_ENGINE_TOKEN is its token), a pool or a model',
  },
} as const satisfies Options;

interface Compared {
  readonly a: Trace;
  readonly b: Trace;
  readonly warnings: readonly Warning[];
}

/** The most tokens in a table. */
const most = 10;

export const compare: Command = {
  name: 'compare',
  summary: 'what differs between two strategies, two texts, a what-if, or two trace files',
  usage: [
    '[text] --with <strategy>',
    '[text] --knock-out <expert>',
    '<text> <text>',
    '<a.safetensors> <b.safetensors>',
    '[text] --with-engine <address or folder>',
    '<a.safetensors> --with-engine <address or folder>',
  ],
  examples: [
    ['--file main.py --with merged', 'the same text under another strategy'],
    ['--file main.py --knock-out python', 'with and without an expert'],
    ['before.safetensors after.safetensors', 'two saved traces'],
  ],
  options: {
    ...options,
    ...targetOptions,
    ...runOptions,
    ...anyEngineOptions,
  },
  async run(context) {
    const { args, out, paint } = context;
    const { a, b, warnings } = await bothTraces(context);
    // Sequence by sequence, as far as both have one.
    const all = a.sequences.flatMap((_, sequence) => (b.sequences[sequence] ? [difference(a, b, { sequence })] : []));
    if (args.flag('json')) {
      const [first, ...others] = all.map((d, i) => differenceJson(a, b, d, i));
      const sequences = others.length > 0 ? { sequences: [first, ...others] } : {};
      out(json({ ...first, ...sequences, ...warningsJson(warnings) }));
    } else out(all.map((d, i) => differenceTable(a, b, d, i, paint)).join('\n'));
  },
};

/** The two traces, and the warnings of what ran them. */
async function bothTraces(context: Context): Promise<Compared> {
  const { args, open, progress, signal } = context;
  const { positionals } = args;
  const elsewhere = args.text('with-engine');
  if (elsewhere !== undefined) return twoEngines(context, elsewhere);
  const traceFiles = positionals.filter((name) => name.endsWith('.safetensors'));
  if (traceFiles.length > 0) {
    if (traceFiles.length !== 2 || positionals.length !== 2) throw new UsageError('Give two trace files to compare.');
    return { a: readTrace(traceFiles[0]!), b: readTrace(traceFiles[1]!), warnings: [] };
  }
  const texts = await readTexts(args.text('text'), args.list('file'), positionals);
  const other = args.text('with');
  const changed =
    other !== undefined || ['knock-out', 'force', 'logit-bias'].some((name) => args.list(name).length > 0);
  if (texts.length === 1 && !changed) {
    throw new UsageError('There is nothing to compare with: give a second text, --with <strategy>, or a what-if.');
  }
  const { engine, model } = await open();
  const output = targetFor(args, model);
  const { interventions, ...asked } = askedFor(args, model);
  const second = other === undefined ? asked : { strategy: strategyBeside(other, args, model) };
  checkExperts(model, second.strategy ? [second.strategy] : [], []);
  const a = await engine.route(
    { text: texts[0]!, ...output, ...asked },
    { signal, onProgress: progress.count('tokens', 'first run') },
  );
  const b = await engine.route(
    { text: texts.at(-1)!, ...output, ...second, interventions },
    { signal, onProgress: progress.count('tokens', 'second run') },
  );
  progress.clear();
  return { a, b, warnings: model.warnings };
}

/** One text on two engines; the first may be a file. */
async function twoEngines({ args, open, openOther, progress, signal }: Context, chosen: string): Promise<Compared> {
  if (args.text('with') !== undefined) throw new UsageError('Give --with or --with-engine, not both.');
  const [file] = args.positionals;
  const saved = file?.endsWith('.safetensors') ? readTrace(file) : undefined;
  const texts = saved
    ? [textOf(saved, file!)]
    : await readTexts(args.text('text'), args.list('file'), args.positionals);
  if (texts.length !== 1) throw new UsageError('Give one text: it is run on both.');
  const run = async ({ engine, model }: Opened, what: string): Promise<Trace> =>
    engine.route({ text: texts[0]!, ...askedFor(args, model) }, { signal, onProgress: progress.count('tokens', what) });
  const first = saved ? undefined : await open();
  const second = await openOther(chosen);
  const a = saved ?? (await run(first!, 'first run'));
  const b = await run(second, 'second run');
  progress.clear();
  return { a, b, warnings: [...(first?.model.warnings ?? []), ...second.model.warnings] };
}

function textOf({ sequences }: Trace, file: string): string {
  const text = sequences[0]?.text;
  if (text !== undefined) return text;
  throw new UsageError(`${file} does not contain its text, so it cannot be run again.`);
}

async function readTexts(
  text: string | undefined,
  files: readonly string[],
  positionals: readonly string[],
): Promise<string[]> {
  const texts = [
    ...(text === undefined ? [] : [text]),
    ...files.filter((f) => f !== '-').map(readText),
    ...positionals.filter((p) => p !== '-'),
  ];
  if (texts.length > 2) throw new UsageError('More than two texts are given.');
  if (texts.length === 0 || files.includes('-') || positionals.includes('-'))
    texts.push(await readInput({ file: '-' }, []));
  return texts;
}

function differenceTable(a: Trace, b: Trace, d: Difference, sequence: number, paint: Paint): string {
  const same = d.alignment.same.reduce((sum, x) => sum + x, 0);
  const [inA, inB] = [a.sequences[sequence]!, b.sequences[sequence]!];
  const run = (trace: Trace) =>
    [routerText(trace.router), ...trace.interventions.map(interventionText)].map(plain).join(', ');
  const named = a.sequences.length > 1 ? `${paint.bold(inA.role)}\n` : '';
  const parts = [
    `${named}a  ${run(a)}, ${inA.done} tokens\nb  ${run(b)}, ${inB.done} tokens\n${same} tokens are the same\n`,
    ...(isCutAlike(a, b, sequence) === false ? [`${words.compareCut}\n`] : []),
    table(
      agreementHead,
      [...d.layers.map((layer, i) => agreementCells(layerText(layer), d.byLayer[i]!)), agreementCells('all', d.all)],
      'lrrrr',
      paint,
    ),
  ];
  const loads = d.usage ? loadChanges(d.usage) : [];
  if (loads.length > 0) {
    const rows = loads.map(({ expert, cell }) => [expertName(d.usage!.experts, expert), cell]);
    parts.push(table(loadChangeHead, rows, 'lr', paint));
  }
  if (!d.usage) parts.push(`${layerExpertsNote}\n`);
  const changed = tokenChanges(d, inA, most);
  if (changed.length > 0) {
    const rows = changed.map(({ token, cells }) => [String(token), fit(visible(tokenText(inA, token)), 24), ...cells]);
    parts.push(table(['#', 'token', ...tokenChangeHead], rows, 'rlrrr', paint));
  }
  return parts.join('\n');
}

function differenceJson(a: Trace, b: Trace, d: Difference, sequence: number): object {
  const [inA, inB] = [a.sequences[sequence]!, b.sequences[sequence]!];
  const C = d.alignment.same.length;
  const alike = isCutAlike(a, b, sequence);
  const columns = Array.from(d.alignment.same, (same, c) => {
    const [ta, tb] = [d.alignment.a[c]!, d.alignment.b[c]!];
    let flipped = 0;
    // −1: a source says nothing about the token there.
    if (same) for (let s = 0; s < d.modules.length; s++) flipped += Math.max(0, d.flips[s * C + c]!);
    return {
      a: ta < 0 ? null : ta,
      b: tb < 0 ? null : tb,
      same: same === 1,
      text: ta < 0 ? tokenText(inB, tb) : tokenText(inA, ta),
      ...(same && { flippedChoices: flipped, logProb: d.logProb[c]!, klOfNextAtLeast: d.predictions[c]! }),
    };
  });
  return {
    a: { ...runJson(a), text: inA.text },
    b: { ...runJson(b), text: inB.text },
    ...(alike !== undefined && { cutAlike: alike }),
    all: d.all,
    layers: d.layers.map((layer, i) => ({ ...layer, ...d.byLayer[i]! })),
    ...(d.usage && {
      load: d.usage.experts.map(({ id }, e) => ({ id, difference: d.usage!.change[e] })),
    }),
    tokens: columns,
  };
}
