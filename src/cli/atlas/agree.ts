/** `gander atlas agree`. */
import path from 'node:path';
import type { LeftOut } from '../../atlas/about.js';
import { Agreement, type AgreementValue, type CellAgreement, type Named, type Share } from '../../atlas/agreement.js';
import { textOf, Unfit } from '../../atlas/files/content.js';
import { documentsOf, isTrace } from '../../atlas/files/corpus.js';
import { bytesOf, filesOf, type Found, sizeOf } from '../../atlas/files/found.js';
import { whyLeftOut } from '../../atlas/files/make.js';
import { GanderError } from '../../errors/errors.js';
import { bar } from '../../look/bar.js';
import { table } from '../../terminal/columns.js';
import { finished } from '../../trace/model/finished.js';
import { decimal, percent, plain, signed } from '../../trace/text/label.js';
import type { Trace } from '../../trace/model/trace.js';
import type { Context, Options } from '../command.js';
import { readTrace } from '../input.js';
import { json } from '../json.js';
import { askedFor, strategyBeside } from '../options.js';
import { inParts } from '../../requests/textParts.js';
import { UsageError } from '../usage.js';
import { checkExperts } from '../words.js';
import { type Corpus, corpusOf } from './corpus.js';

export const agreeOptions = {
  with: {
    type: 'string',
    short: 'w',
    value: 'strategy',
    help: 'agree: the second way’s strategy, such as phatgoose:3',
  },
  'with-engine': {
    type: 'string',
    value: 'address|folder',
    help: 'agree: the second way runs there: a server (GANDER_WITH_ENGINE_TOKEN is its token), a pool or a model',
  },
} as const satisfies Options;

/** A part of a document, run in two ways. */
type Pair = readonly [a: Trace, b: Trace];

interface PairDocument {
  readonly id: string;
  readonly label: string | null;
  readonly bytes: number;
  readonly pairs: () => AsyncIterable<Pair>;
}

export async function agree(context: Context, given: readonly string[]): Promise<void> {
  const { args, out, paint, progress, signal } = context;
  const corpus = corpusOf(args, given);
  const traces = corpus.files.filter(({ file }) => isTrace(file));
  const documents = traces.length > 0 ? savedPairs(given, corpus) : await runPairs(context, corpus);
  const agreement = new Agreement();
  const leftOut: LeftOut[] = [];
  const print = () => {
    progress.clear();
    const { value } = agreement;
    out(args.flag('json') ? json({ ...value, leftOut }) : agreementText(value, leftOut, paint));
  };
  const total = bytesOf(corpus.files);
  let [done, bytes] = [0, 0];
  try {
    for await (const { id, label, bytes: own, pairs } of documents) {
      try {
        for await (const [a, b] of pairs()) agreement.add(finished(a), finished(b), label);
        agreement.close();
      } catch (thrown) {
        agreement.drop();
        leftOut.push({ document: id, why: whyLeftOut(thrown) });
      }
      bytes += own;
      progress.say(`${bar(total > 0 ? bytes / total : 0, 20)} ${++done} documents  ${plain(id)}`);
    }
  } catch (thrown) {
    if (!signal.aborted || done === 0) throw thrown;
    print();
    throw new GanderError('cancelled', `Stopped after ${done} documents.`, 'Start it again for all of them.', {
      cause: thrown,
    });
  }
  if (agreement.value.documents === 0)
    throw new GanderError('text-empty', nothing(leftOut), 'Give a corpus that both sides can run.');
  print();
}

function nothing([first]: readonly LeftOut[]): string {
  return first ? `There is nothing to compare; ${plain(first.document)} ${first.why}.` : 'There is nothing to compare.';
}

/** Saved traces of two folders; those with the same name belong together. */
async function* savedPairs(given: readonly string[], { options }: Corpus): AsyncGenerator<PairDocument> {
  const [a, b, ...more] = given;
  if (a === undefined || b === undefined || more.length > 0)
    throw new UsageError('Give two folders of saved traces, whose files have the same names.');
  const nameIn = ({ file, root }: Found) => path.relative(root, file);
  const inB = new Map(filesOf([b]).map((found) => [nameIn(found), found.file]));
  for (const found of filesOf([a])) {
    const other = inB.get(nameIn(found));
    for await (const { id, label, bytes } of documentsOf([found], options))
      yield {
        id,
        label,
        bytes: bytes + (other === undefined ? 0 : sizeOf(other)),
        async *pairs() {
          if (other === undefined) throw new Unfit(`is not in ${b}`);
          yield await Promise.resolve([readTrace(found.file), readTrace(other)]);
        },
      };
  }
}

/** Each part is run in both ways before the next, so a document that one side finds too long is cut for both. */
async function runPairs(context: Context, corpus: Corpus): Promise<AsyncIterable<PairDocument>> {
  const { args, open, openOther, signal } = context;
  const [other, elsewhere] = [args.text('with'), args.text('with-engine')];
  if ((other === undefined) === (elsewhere === undefined))
    throw new UsageError(
      'Say what to compare with: --with <strategy>, --with-engine <address or folder>, or two folders of saved traces.',
    );
  const first = await open();
  const askedFirst = askedFor(args, first.model);
  const second = elsewhere === undefined ? first : await openOther(elsewhere);
  const askedSecond =
    other === undefined ? askedFor(args, second.model) : { strategy: strategyBeside(other, args, first.model) };
  checkExperts(second.model, askedSecond.strategy ? [askedSecond.strategy] : [], []);
  const both = async (request: { readonly text: string; readonly target?: string }): Promise<Pair> => {
    const a = await first.engine.route({ ...askedFirst, ...request }, { signal });
    return [a, await second.engine.route({ ...askedSecond, ...request }, { signal })];
  };
  return (async function* () {
    for await (const { id, label, bytes, read } of documentsOf(corpus.files, corpus.options))
      yield {
        id,
        label,
        bytes,
        async *pairs() {
          const { bytes: own, target } = read();
          if (target !== undefined) yield await both({ text: textOf(own), target });
          else for await (const { result } of inParts(textOf(own), (text) => both({ text }))) yield result;
        },
      };
  })();
}

function agreementText(value: AgreementValue, leftOut: readonly LeftOut[], paint: Context['paint']): string {
  const head = ['', 'cells', 'overlap (chance)', '95 %', 'same first', 'flipped', '95 %'];
  const row = ({ name, value: of }: Named<CellAgreement>) => [
    plain(name),
    String(of.cells),
    `${percent(of.overlap.value)} (${percent(of.chance)})`,
    interval(of.overlap, percent),
    percent(of.first.value),
    percent(of.flipped.value),
    interval(of.flipped, percent),
  ];
  const block = (title: string, rows: readonly Named<CellAgreement>[]) =>
    rows.length > 0 ? [`\n${table([title, ...head.slice(1)], rows.map(row), 'lrrrrrr', paint)}`] : [];
  const { flipped, others } = value.logProb;
  const change = (name: string, { tokens, mean, size }: AgreementValue['logProb']['flipped']) =>
    tokens > 0
      ? [
          `${name}: ${decimal(size.value, 4)} nats (${interval(size, (x) => decimal(x, 4))}) in size, ` +
            `${signed(mean.value, 4)} on average, over ${tokens} tokens\n`,
        ]
      : [];
  return [
    `${value.documents} documents, ${value.tokens} tokens that are the same in both\n`,
    `tokens with any flip: ${percent(value.tokensFlipped.value)} (${interval(value.tokensFlipped, percent)})\n`,
    ...block('layer', [...value.layers, { name: 'all', value: value.all }]),
    ...block('label', value.labels),
    ...block('margin in the first', value.margins),
    '\nChange of log p, second − first\n',
    ...change('after a token with a flip', flipped),
    ...change('after any other', others),
    ...leftOut.map(({ document, why }) => `left out: ${plain(document)} ${plain(why)}\n`),
  ].join('');
}

function interval({ low, high }: Share, form: (x: number) => string): string {
  return Number.isNaN(low) ? 'too few documents' : `${form(low)} to ${form(high)}`;
}
