/** Tokens, routers and what-ifs as one line of plain text. */
import type { Layer } from '../model/access.js';
import type { ExpertSet, Intervention, Router, Scope, Sequence, TokenRange, Trace } from '../model/trace.js';

/** The text's own characters under a token; without these the vocabulary's spelling, or else the token's id or position. */
export function tokenText({ text, tokens }: Sequence, t: number): string {
  const start = tokens.start?.[t] ?? -1;
  const own = text !== undefined && start >= 0 ? text.slice(start, tokens.end?.[t]) : '';
  return own || (tokens.text?.[t] ?? (tokens.ids ? `#${tokens.ids[t]!}` : `(${t})`));
}

/**
 * The number of an expert whose name is only a number, as most experts of a layer have it: `87`, `Layer 12 expert 87`. It is
 * all that a view needs to show next to the layer. Undefined if the expert has a real name.
 */
export function numberOf({ scope, experts }: ExpertSet, expert: number): number | undefined {
  const counted = /^(?:.*\bexpert )?(\d+)$/i.exec(experts[expert]?.name ?? '');
  return scope === 'layer' && Number(counted?.[1]) === expert ? expert : undefined;
}

/** A token in labels and tables: `␣function`, `⏎`, `<|endoftext|>`, `#1234`. */
export function tokenLabel(sequence: Sequence, t: number): string {
  return visible(tokenText(sequence, t));
}

/**
 * The text's own characters under a token; empty if the token before already covers them (the bytes of an emoji), or if the
 * source gave no text.
 */
export function covered({ text, tokens }: Sequence, t: number): string {
  const { start, end } = tokens;
  if (text === undefined || !start || !end || start[t]! < 0) return '';
  const from = t > 0 ? Math.max(start[t]!, end[t - 1]!) : start[t]!;
  return text.slice(from, Math.max(from, end[t]!));
}

/**
 * Makes whitespace visible: `␣function`, `⏎`. Control and direction marks, which could garble a line or a terminal, become dots. Where
 * nothing at all would be seen, as of a no-break space or a variation selector alone, its code stands: `U+FE0F`.
 */
export function visible(text: string): string {
  const shown = plain(text.replace(/\r?\n/g, '⏎').replace(/\t/g, '→').replace(/ /g, '␣'));
  if (/[^\p{Zs}\p{M}\p{Default_Ignorable_Code_Point}]/u.test(shown)) return shown;
  return Array.from(text, codeOf).join(' ') || '∅';
}

const codeOf = (character: string): string =>
  `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;

/** One line without control characters, for names and descriptions that come from files. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '·');
}

/** What a router's raw output is called: an affinity in a pool, a router logit in a mixture of experts. */
export function scoreName({ expertSets }: Pick<Trace, 'expertSets'>): 'affinity' | 'routerLogit' {
  return expertSets.some(({ scope }) => scope === 'layer') ? 'routerLogit' : 'affinity';
}

/** As on the command line: `base`, `phatgoose:2`, `single:python`, `retrieval` (with the expert it picked, if known). */
export function routerText({ name, k, params }: Router): string {
  const argument = k ?? params?.['expert'];
  return argument === undefined ? name : `${name}:${String(argument)}`;
}

/** `3`; in an encoder-decoder `decoder 3`; for one of several routers of a layer `3 mlp`. */
export function layerText({ stack, layer, router }: Layer): string {
  return plain([stack, layer, router].filter((part) => part !== undefined).join(' '));
}

/** `knock-out python@layer=3,kind=q`, `logit-bias sql@tokens=12..29=+0.5`. */
export function interventionText(intervention: Intervention): string {
  const amount =
    intervention.action === 'logit-bias' ? `=${intervention.amount < 0 ? '' : '+'}${String(intervention.amount)}` : '';
  return `${intervention.action} ${intervention.expert}${scopeText(intervention.scope)}${amount}`;
}

function scopeText(scope: Scope): string {
  const parts = Object.entries(scope).map(([axis, value]: [string, Scope[keyof Scope]]) =>
    typeof value === 'object' ? `${axis}=${rangesText(value)}` : `${axis}=${String(value)}`,
  );
  return parts.length > 0 ? `@${parts.join(',')}` : '';
}

/** First and last token of each range, inclusive: `12..29+44`. */
function rangesText(ranges: readonly TokenRange[]): string {
  return ranges.map(([from, to]) => (to === from + 1 ? String(from) : `${from}..${to - 1}`)).join('+');
}

/** 0.1234 → `12.3 %`; an en dash for NaN. */
export function percent(share: number): string {
  return Number.isNaN(share) ? '–' : `${(100 * share).toFixed(1)} %`;
}

/** Fixed digits, without a minus for what rounds to 0; an en dash for NaN. */
export function decimal(x: number, digits = 2): string {
  return Number.isNaN(x) ? '–' : x.toFixed(digits).replace(/^-(?=[0.]+$)/, '');
}

/** As `decimal`, with a plus above zero. */
export function signed(x: number, digits: number): string {
  return `${x > 0 ? '+' : ''}${decimal(x, digits)}`;
}

/** A text of any number of lines, made safe for a terminal, a spreadsheet or a page to show. Joined emoji stay joined. */
export function shown(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(/[^\P{Cc}\n\t]|[\p{Bidi_Control}\p{Cs}\p{Zl}\p{Zp}]/gu, '·');
}
