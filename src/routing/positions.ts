/** Where things are in a document that is being edited. Offsets are UTF-16 code units; ends are exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** `length` code units at `offset` become `text`. */
export interface Change {
  readonly offset: number;
  readonly length: number;
  readonly text: string;
}

/** Where the span is after the change. Text typed at either edge stays outside. */
export function moved({ start, end }: Span, { offset, length, text }: Change): Span {
  const gone = offset + length;
  const shift = text.length - length;
  if (gone <= start && !(length === 0 && start === end && offset === start))
    return { start: start + shift, end: end + shift };
  if (offset >= end) return { start, end };
  const from = offset < start ? offset + text.length : start;
  const to = gone <= end ? end + shift : Math.max(offset, from);
  return { start: from, end: Math.max(from, to) };
}

/** Whether the change reaches into the span, so that its text is no longer what it was. */
export function touches({ start, end }: Span, { offset, length }: Change): boolean {
  return offset < end && (offset + length > start || (length === 0 && offset > start));
}

/**
 * How many characters at the start of a text are still the same after a change, up to a space: a tokenizer may split the changed
 * word, and the space before it, differently.
 */
export function unchanged(before: string, after: string): number {
  const length = Math.min(before.length, after.length);
  let at = 0;
  while (at < length && before[at] === after[at]) at++;
  return /\s*\S*$/.exec(before.slice(0, at))!.index;
}
