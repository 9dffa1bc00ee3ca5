/**
 * Where each generated token lies in the text that was generated. A token may end inside a character (its bytes are
 * spread over several): each of these covers the whole character, as in a text that was given.
 *
 * @param prefixes for each token, the text decoded of it and all before it
 * @param whole the last of them
 * @returns offsets into `whole` in UTF-16 units; −1 for a token that is no text
 */
export function continuationOffsets(
  prefixes: readonly string[],
  whole: string,
): { start: Int32Array; end: Int32Array } {
  const reach = prefixes.map((prefix) => commonLength(prefix, whole));
  const start = new Int32Array(prefixes.length);
  const end = new Int32Array(prefixes.length);
  prefixes.forEach((prefix, i) => {
    const from = i === 0 ? 0 : reach[i - 1]!;
    const to = reach.slice(i).find((r) => r > from);
    const silent = prefix === (i === 0 ? '' : prefixes[i - 1]) || to === undefined;
    start[i] = silent ? -1 : from;
    end[i] = silent ? -1 : to;
  });
  return { start, end };
}

/** Never ends between the halves of a surrogate pair. */
function commonLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  const code = length > 0 && length < b.length ? b.charCodeAt(length - 1) : 0;
  return code >= 0xd800 && code <= 0xdbff ? length - 1 : length;
}
