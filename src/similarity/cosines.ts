/** How similar every two experts are at one module; NaN if one has nothing there. */

/** A change of a module, scale · B A. */
export interface Factors {
  readonly rank: number;
  readonly dIn: number;
  readonly dOut: number;
  readonly scale: number;
  /** [rank, dIn] */
  readonly a: Float32Array;
  /** [dOut, rank] */
  readonly b: Float32Array;
}

/**
 * Cosines of the gates as PHATGOOSE uses them, LN(v): two experts with cosine 1 score every token alike. A constant gate always
 * scores 0 and has no cosine (NaN).
 *
 * @param gates [dIn] each, by expert
 * @returns [N, N]
 */
export function gateCosines(gates: readonly (Float32Array | undefined)[]): Float32Array {
  const centred = gates.map((gate) => gate && lessMean(gate));
  return cosines(centred, (x, y) => dot(x, 0, y, 0, x.length));
}

/**
 * Cosines of the products s B A as long vectors, computed from their factors: ⟨B A, B′ A′⟩ is the sum over p and q of
 * (row p of A · row q of A′) (column p of B · column q of B′). An adapter whose product is zero has no cosine (NaN).
 *
 * @returns [N, N]
 */
export function adapterCosines(adapters: readonly (Factors | undefined)[]): Float32Array {
  const turned = adapters.map((one) => one && { ...one, b: transposed(one.b, one.dOut, one.rank) });
  return cosines(turned, (x, y) => {
    let sum = 0;
    for (let p = 0; p < x.rank; p++)
      for (let q = 0; q < y.rank; q++)
        sum += dot(x.a, p * x.dIn, y.a, q * y.dIn, x.dIn) * dot(x.b, p * x.dOut, y.b, q * y.dOut, x.dOut);
    return sum * x.scale * y.scale;
  });
}

function cosines<T>(of: readonly (T | undefined)[], product: (x: T, y: T) => number): Float32Array {
  const n = of.length;
  const out = new Float32Array(n * n).fill(NaN);
  const lengths = of.map((x) => (x === undefined ? 0 : Math.sqrt(product(x, x))));
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      const [x, y] = [of[i], of[j]];
      if (x === undefined || y === undefined || !(lengths[i]! > 0) || !(lengths[j]! > 0)) continue;
      out[i * n + j] = out[j * n + i] = i === j ? 1 : product(x, y) / (lengths[i]! * lengths[j]!);
    }
  return out;
}

function lessMean(v: Float32Array): Float64Array {
  let mean = 0;
  for (const x of v) mean += x / v.length;
  return Float64Array.from(v, (x) => x - mean);
}

/** [rows, columns] to [columns, rows] */
function transposed(m: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(m.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = m[i * columns + j]!;
  return out;
}

type Numbers = Float32Array | Float64Array;

/** Four partial sums: a single one would have to wait for its own previous addition. */
function dot(x: Numbers, at: number, y: Numbers, from: number, length: number): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  const even = length & ~3;
  for (let i = 0; i < even; i += 4) {
    a += x[at + i]! * y[from + i]!;
    b += x[at + i + 1]! * y[from + i + 1]!;
    c += x[at + i + 2]! * y[from + i + 2]!;
    d += x[at + i + 3]! * y[from + i + 3]!;
  }
  for (let i = even; i < length; i++) a += x[at + i]! * y[from + i]!;
  return a + b + (c + d);
}
