export function joined(first: Int32Array, then: Int32Array): Int32Array {
  const out = new Int32Array(first.length + then.length);
  out.set(first);
  out.set(then, first.length);
  return out;
}

/** Offsets in one text and in another that begins at `at` of it; −1, for what stands nowhere, stays. */
export function joinedOffsets(first: Int32Array, then: Int32Array, at: number): Int32Array {
  return joined(
    first,
    then.map((offset) => (offset < 0 ? -1 : offset + at)),
  );
}
