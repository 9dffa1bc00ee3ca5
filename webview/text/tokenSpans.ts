/**
 * The tokens of a text as elements. A text may have more than ten thousand, and a run in progress changes a few: elements are
 * made once, here, instead of being compared at every redraw. Strings only ever become text nodes.
 */
import { isSpecial } from '../../src/trace/model/access.js';
import { covered, tokenText } from '../../src/trace/text/label.js';
import type { Sequence } from '../../src/trace/model/trace.js';
import { blank } from '../look/tokens.js';

/** How a token looks: its classes, and the short label where another expert begins to lead. */
export interface TokenStyle {
  readonly names: string;
  readonly letter: string;
}

/** About how many tokens form a block, which is laid out only when it comes into view. */
const blockTokens = 120;

export function buildTokens(body: HTMLElement, sequence: Sequence, styles: readonly TokenStyle[]): HTMLElement[] {
  const spans: HTMLElement[] = [];
  const blocks: HTMLElement[] = [];
  let begun = 0;
  let reached = 0;
  for (let i = 0; i < sequence.tokens.count; i++) {
    const isFull = i - begun >= blockTokens && spans[i - 1]!.classList.contains('break');
    if (i === 0 || isFull) {
      const block = document.createElement('div');
      block.className = 'block';
      block.setAttribute('role', 'presentation');
      blocks.push(block);
      begun = i;
    }
    const span = tokenSpan(sequence, i);
    dress(span, styles[i]!);
    // Some tokenizers leave the space between words out of every token.
    const [start, end] = [sequence.tokens.start?.[i] ?? -1, sequence.tokens.end?.[i] ?? -1];
    const between = start > reached ? (sequence.text?.slice(reached, start) ?? '') : '';
    reached = Math.max(reached, end);
    blocks.at(-1)!.append(between, span);
    spans.push(span);
  }
  body.replaceChildren(...blocks);
  return spans;
}

export function dress(span: HTMLElement, { names, letter }: TokenStyle): void {
  if (span.className !== names) span.className = names;
  if ((span.dataset['letter'] ?? '') === letter) return;
  if (letter) span.dataset['letter'] = letter;
  else delete span.dataset['letter'];
}

/** A token's characters in the text; if the source has no text, the token's own. */
export function textOf(sequence: Sequence, i: number): string {
  const isInText = sequence.text !== undefined && (sequence.tokens.start?.[i] ?? -1) >= 0;
  return isInText ? covered(sequence, i) : tokenText(sequence, i);
}

/** What kind of token it is, whichever expert it goes to. */
export function kindsOfToken(sequence: Sequence, i: number): string[] {
  const text = textOf(sequence, i);
  const { tokens } = sequence;
  return [
    isSpecial(sequence, i) && 'special',
    text.endsWith('\n') && 'break',
    isBlank(sequence, i) && 'blank',
    // Numbers next to each other would read as one.
    sequence.text === undefined && tokens.text === undefined && 'bare',
  ].filter((name) => name !== false);
}

const isBlank = (sequence: Sequence, i: number) => !isSpecial(sequence, i) && /^\s+$/.test(textOf(sequence, i));

function tokenSpan(sequence: Sequence, i: number): HTMLElement {
  const span = document.createElement('span');
  const text = textOf(sequence, i);
  span.dataset['i'] = String(i);
  span.setAttribute('role', 'option');
  if (isSpecial(sequence, i) || !/[ \t\r\n]/.test(text)) span.textContent = text || '▯';
  else whitespace(span, text);
  if (isBlank(sequence, i)) span.setAttribute('aria-label', blank(text));
  return span;
}

/** The characters stay as they are, so that they can be copied; the style sheet draws marks over or beside them. */
function whitespace(span: HTMLElement, text: string): void {
  for (const part of text.match(/ |\t|\r?\n|[^ \t\r\n]+|\r/g) ?? []) {
    const mark = part === ' ' ? 'w' : part === '\t' ? 'tb' : part.endsWith('\n') ? 'nl' : undefined;
    if (mark === undefined) span.append(part);
    else if (mark === 'nl') span.append(Object.assign(document.createElement('i'), { className: mark }), '\n');
    else span.append(Object.assign(document.createElement('i'), { className: mark, textContent: part }));
  }
}

/** Where a key leads to; up and down go to the nearest token of the line above or below. */
export function target(key: string, at: number, spans: readonly HTMLElement[]): number | undefined {
  switch (key) {
    case 'ArrowRight':
      return at + 1;
    case 'ArrowLeft':
      return at - 1;
    case 'Home':
      return 0;
    case 'End':
      return spans.length - 1;
    case 'ArrowDown':
      return lineFrom(at, 1, spans);
    case 'ArrowUp':
      return lineFrom(at, -1, spans);
    default:
      return undefined;
  }
}

function lineFrom(at: number, step: 1 | -1, spans: readonly HTMLElement[]): number {
  const from = spans[at]?.getBoundingClientRect();
  if (!from) return 0;
  let best = at;
  let bestGap = Infinity;
  let line: number | undefined;
  for (let i = at + step; i >= 0 && i < spans.length; i += step) {
    const box = spans[i]!.getBoundingClientRect();
    if (Math.abs(box.top - from.top) < 4) continue;
    line ??= box.top;
    if (Math.abs(box.top - line) > 4) break;
    const gap = Math.abs(box.left - from.left);
    if (gap < bestGap) [best, bestGap] = [i, gap];
  }
  return best;
}
