export function joined(first: Int32Array, then: Int32Array): Int32Array {
  const out = new Int32Array(first.length + then.length);
  out.set(first);
  out.set(then, first.length);
  return out;
}

/** Joins offsets into one text with offsets into another that begins at `at` of it; −1, which means nowhere in the text, stays. */
export function joinedOffsets(first: Int32Array, then: Int32Array, at: number): Int32Array {
  return joined(
    first,
    then.map((offset) => (offset < 0 ? -1 : offset + at)),
  );
}
