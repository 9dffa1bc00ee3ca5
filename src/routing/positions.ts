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

/** Where the span is after the change. What is typed at either edge stays outside. */
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
