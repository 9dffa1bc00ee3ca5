/** What-ifs in words, the same on the page and in the editor. */
import { words, type PlainWord } from '../shared/words.js';
import type { Layer } from './access.js';
import { tokenLabel } from './label.js';
import type { Intervention, Site, Trace } from './trace.js';

/** How words and numbers are written in the reader's language. */
export interface Writer {
  readonly word: (key: PlainWord, ...values: readonly (string | number)[]) => string;
  readonly signed: (value: number, digits: number) => string;
}

/** One what-if. @param name what an expert's id is called */
export function whatIfWords(
  intervention: Intervention,
  trace: Trace | undefined,
  name: (expert: string) => string,
  { word, signed }: Writer,
): string {
  const { scope } = intervention;
  const where =
    scope.module !== undefined
      ? inSiteWords(trace, scope.module, word)
      : scope.layer !== undefined
        ? word('inPlace', layerWords({ layer: scope.layer, ...(scope.stack && { stack: scope.stack }) }, word))
        : scope.kind !== undefined
          ? word('inKind', kindWords(scope.kind, word))
          : word('everywhere');
  const expert = name(intervention.expert);
  const what =
    intervention.action === 'knock-out'
      ? word('saidKnockOut', expert, where)
      : intervention.action === 'force'
        ? word('saidForce', expert, where)
        : word('saidTilt', expert, signed(intervention.amount, 1), where);
  if (scope.token === undefined) return what;
  const sequence = trace?.sequences[scope.sequence ?? 0];
  return word('saidToken', what, sequence ? tokenLabel(sequence, scope.token) : String(scope.token + 1));
}

/** The path stands for itself where the trace has no such site. */
export function inSiteWords(trace: Trace | undefined, path: string, word: Writer['word']): string {
  const site = trace?.sites.find((one) => one.path === path);
  return site ? word('inSite', siteWords(site, word)) : path;
}

export function siteWords(site: Site, word: Writer['word']): string {
  return word('siteOfLayer', layerWords(site, word), kindWords(site.kind, word));
}

export function layerWords({ stack, layer }: Layer, word: Writer['word']): string {
  return stack ? word('layerOfStack', word(stack), String(layer)) : word('layer', String(layer));
}

/** A kind that is none of ours keeps its source's name. */
export function kindWords(kind: string, word: Writer['word']): string {
  return isPlain(kind) ? word(kind) : kind;
}

function isPlain(key: string): key is PlainWord {
  return Object.hasOwn(words, key) && typeof words[key as keyof typeof words] === 'string';
}
