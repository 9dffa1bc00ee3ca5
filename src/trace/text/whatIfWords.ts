/** What-ifs in words, the same on the page and in the editor. */
import { words, type PlainWord } from '../../words/words.js';
import type { Layer } from '../model/access.js';
import { numberOf, tokenLabel } from './label.js';
import { wholeLines } from './lines.js';
import type { Intervention, Scope, Sequence, RoutedModule, TokenRange, Trace } from '../model/trace.js';

/** Writes words and numbers in the reader's language. */
export interface Writer {
  readonly word: (key: PlainWord, ...values: readonly (string | number)[]) => string;
  readonly signed: (value: number, digits: number) => string;
  /** The number in the document, from 1, of a line of the text. Absent: tokens are counted instead of lines. */
  readonly lineNumber?: (line: number) => number;
}

/** One what-if. @param name gives an expert's name for its id */
export function whatIfWords(
  intervention: Intervention,
  trace: Trace | undefined,
  name: (expert: string) => string,
  writer: Writer,
): string {
  const { word, signed } = writer;
  const { scope } = intervention;
  const where =
    scope.module !== undefined
      ? inModuleWords(trace, scope.module, word)
      : scope.layer !== undefined
        ? word('inPlace', layerWords(scopedLayer(scope.layer, scope), word))
        : scope.kind !== undefined
          ? word('inKind', kindWords(scope.kind, word))
          : word('everywhere');
  // The layer is said once, by the place or by the expert's name.
  const isPlaced = scope.module !== undefined || scope.layer !== undefined;
  const number = isPlaced ? numberIn(trace, intervention.expert) : undefined;
  const expert = number === undefined ? name(intervention.expert) : word('expertNumber', String(number));
  const what =
    intervention.action === 'knock-out'
      ? word('saidKnockOut', expert, where)
      : intervention.action === 'force'
        ? word('saidForce', expert, where)
        : word(
            intervention.amount < 0 ? 'saidHinder' : 'saidFavour',
            expert,
            signed(intervention.amount, digitsOf(intervention.amount)),
            where,
          );
  const sequence = trace?.sequences[scope.sequence ?? 0];
  if (scope.token !== undefined)
    return word('saidToken', what, sequence ? tokenLabel(sequence, scope.token) : String(scope.token + 1));
  return scope.tokens ? word('saidIn', what, rangesWords(scope.tokens, sequence, writer)) : what;
}

/** As many as were asked for, so that 0.04 is not 0.0. */
const digitsOf = (amount: number): number => Math.max(1, /\.(\d+)$/.exec(String(amount))?.[1]!.length ?? 0);

/** The number of an expert of one layer, if that is all that its name says. */
function numberIn(trace: Trace | undefined, id: string): number | undefined {
  for (const set of trace?.expertSets ?? []) {
    const at = set.experts.findIndex((expert) => expert.id === id);
    if (at >= 0) return numberOf(set, at);
  }
  return undefined;
}

function scopedLayer(layer: number, { stack, kind }: Scope): Layer {
  return { layer, ...(stack && { stack }), ...(kind !== undefined && { router: kind }) };
}

/** Ranges of tokens: as lines if they are whole lines, or else as token numbers. */
export function rangesWords(
  ranges: readonly TokenRange[],
  sequence: Sequence | undefined,
  { word, lineNumber }: Pick<Writer, 'word' | 'lineNumber'>,
): string {
  const [only] = ranges;
  if (!only || ranges.length > 1) {
    const count = ranges.reduce((sum, [from, to]) => sum + to - from, 0);
    return word('tokensIn', count, ranges.length);
  }
  const lines = sequence && lineNumber && wholeLines(sequence, only);
  if (!lines) return only[1] === only[0] + 1 ? word('tokenNumber', only[1]) : word('windowOf', only[0] + 1, only[1]);
  const [first, last] = [lineNumber(lines[0]), lineNumber(lines[1])];
  return first === last ? word('lineOf', first) : word('windowLines', first, last);
}

/** Falls back to the path itself if the trace has no such module. */
export function inModuleWords(trace: Trace | undefined, path: string, word: Writer['word']): string {
  const module = trace?.modules.find((one) => one.path === path);
  return module ? word('inModule', moduleWords(module, word)) : path;
}

export function moduleWords(module: RoutedModule, word: Writer['word']): string {
  const { stack, layer, kind } = module;
  return layerWords({ layer, ...(stack && { stack }), router: kind }, word);
}

export function layerWords({ stack, layer, router }: Layer, word: Writer['word']): string {
  const whole = stack ? word('layerOfStack', word(stack), String(layer)) : word('layer', String(layer));
  return router === undefined ? whole : word('moduleOfLayer', whole, kindWords(router, word));
}

/** A kind that Gander has no word for keeps its source's name. */
export function kindWords(kind: string, word: Writer['word']): string {
  return isPlain(kind) ? word(kind) : kind;
}

function isPlain(key: string): key is PlainWord {
  return Object.hasOwn(words, key) && typeof words[key as keyof typeof words] === 'string';
}
