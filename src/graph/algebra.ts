/** Linear algebra that is done once, when a graph is composed, to save work for every token. */

/**
 * v̂ = LN(v) / √d. Its mean is zero, so LN(u)·v̂ = (u·v̂) · InvStd(u): no normalised copy of u is needed, and the whole
 * pool's affinities are one matrix product and one factor per token. A constant gate scores 0.
 *
 * Source: docs/strategies.md; biased variance, eps 1e-5.
 */
export function normalisedGate(v: Float32Array): Float32Array {
  const d = v.length;
  let mean = 0;
  for (const x of v) mean += x / d;
  let variance = 0;
  for (const x of v) variance += (x - mean) ** 2 / d;
  const factor = 1 / Math.sqrt(variance + 1e-5) / Math.sqrt(d);
  return v.map((x) => (x - mean) * factor);
}

/**
 * Thin QR of a [rows, r] matrix by modified Gram-Schmidt, with a second pass where nearly dependent columns make one pass
 * too inaccurate. A column that depends on earlier ones becomes zero in Q; its part of R is kept.
 *
 * @returns q [rows, r] with orthonormal or zero columns; rr [r, r] upper triangular; float64.
 */
export function thinQr(b: Float32Array, rows: number, r: number): { q: Float64Array; rr: Float64Array } {
  // Each column contiguous while working: faster in the processor's cache.
  const columns = Array.from({ length: r }, () => new Float64Array(rows));
  for (const [j, column] of columns.entries()) for (let i = 0; i < rows; i++) column[i] = b[i * r + j]!;
  const rr = new Float64Array(r * r);
  for (let j = 0; j < r; j++) {
    const column = columns[j]!;
    const before = norm(column);
    let length = before;
    for (let pass = 0; pass < 2; pass++) {
      const had = length;
      for (let i = 0; i < j; i++) {
        const other = columns[i]!;
        const along = dot(other, column);
        rr[i * r + j]! += along;
        for (let n = 0; n < rows; n++) column[n]! -= along * other[n]!;
      }
      length = norm(column);
      // Little was subtracted, so little accuracy was lost (Daniel, Gragg, Kaufman and Stewart, 1976).
      if (length > had * Math.SQRT1_2) break;
    }
    if (length <= 1e-7 * before || length === 0) column.fill(0);
    else {
      rr[j * r + j] = length;
      for (let n = 0; n < rows; n++) column[n]! /= length;
    }
  }
  const q = new Float64Array(rows * r);
  for (let j = 0; j < r; j++) for (let n = 0; n < rows; n++) q[n * r + j] = columns[j]![n]!;
  return { q, rr };
}

/** The rank that an adapter is stored with: at most the narrower side of its product. */
export function poolRank(rank: number, dIn: number, dOut: number): number {
  return Math.min(rank, dIn, dOut);
}

/**
 * The same product s·B·A with B's columns orthonormal: B = Q R, A' = s R A, B' = Q. Then ‖s B A u‖ = ‖A' u‖, a norm over
 * r numbers instead of d_out.
 *
 * @param a [r, dIn]
 * @param b [dOut, r]
 * @returns a [rank, dIn], b [dOut, rank] with the rank of `poolRank`
 */
export function orthonormalise(
  a: Float32Array,
  b: Float32Array,
  scale: number,
  r: number,
  dIn: number,
  dOut: number,
): { a: Float32Array; b: Float32Array; rank: number } {
  const rank = poolRank(r, dIn, dOut);
  if (rank === r) return orthonormalFactors(a, b, scale, r, dIn, dOut);
  const product = scaledProduct(a, b, scale, r, dIn, dOut);
  if (rank === dOut) return { a: product, b: identity(rank), rank };
  return orthonormalFactors(identity(rank), product, 1, rank, dIn, dOut);
}

function orthonormalFactors(
  a: Float32Array,
  b: Float32Array,
  scale: number,
  rank: number,
  dIn: number,
  dOut: number,
): { a: Float32Array; b: Float32Array; rank: number } {
  const { q, rr } = thinQr(b, dOut, rank);
  const row = new Float64Array(dIn);
  const out = new Float32Array(rank * dIn);
  for (let i = 0; i < rank; i++) {
    row.fill(0);
    for (let j = i; j < rank; j++) {
      const factor = scale * rr[i * rank + j]!;
      if (factor === 0) continue;
      for (let n = 0; n < dIn; n++) row[n]! += factor * a[j * dIn + n]!;
    }
    out.set(row, i * dIn);
  }
  return { a: out, b: new Float32Array(q), rank };
}

/** s·B·A [dOut, dIn] */
function scaledProduct(a: Float32Array, b: Float32Array, scale: number, r: number, dIn: number, dOut: number) {
  const out = new Float32Array(dOut * dIn);
  const row = new Float64Array(dIn);
  for (let o = 0; o < dOut; o++) {
    row.fill(0);
    for (let j = 0; j < r; j++) {
      const factor = scale * b[o * r + j]!;
      for (let n = 0; n < dIn; n++) row[n]! += factor * a[j * dIn + n]!;
    }
    out.set(row, o * dIn);
  }
  return out;
}

function identity(n: number): Float32Array {
  const out = new Float32Array(n * n);
  for (let i = 0; i < n; i++) out[i * n + i] = 1;
  return out;
}

/**
 * The top right singular vector (unit) of B'A' where B' has orthonormal columns: that of A' alone, found from the r×r
 * matrix A' A'ᵀ by Jacobi's method. It is Arrow's router vector; its sign has no meaning.
 *
 * @param a [r, dIn]
 */
export function topRightSingularVector(a: Float32Array, rank: number, dIn: number): Float32Array {
  const gram = new Float64Array(rank * rank);
  for (let i = 0; i < rank; i++) {
    for (let j = i; j < rank; j++) {
      let sum = 0;
      for (let n = 0; n < dIn; n++) sum += a[i * dIn + n]! * a[j * dIn + n]!;
      gram[i * rank + j] = gram[j * rank + i] = sum;
    }
  }
  const w = topEigenvector(gram, rank);
  const v = new Float64Array(dIn);
  for (let i = 0; i < rank; i++) for (let n = 0; n < dIn; n++) v[n]! += w[i]! * a[i * dIn + n]!;
  const length = norm(v) || 1;
  return Float32Array.from(v, (x) => x / length);
}

/** The top eigenvector of a symmetric matrix [n, n], by cyclic Jacobi; the matrix is overwritten. */
function topEigenvector(m: Float64Array, n: number): Float64Array {
  const vectors = new Float64Array(n * n);
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    let diagonal = 0;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++)
        if (i === j) diagonal += m[i * n + j]! ** 2;
        else off += m[i * n + j]! ** 2;
    if (off <= 1e-26 * diagonal) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(m, vectors, n, p, q);
  }
  let best = 0;
  for (let i = 1; i < n; i++) if (m[i * n + i]! > m[best * n + best]!) best = i;
  return Float64Array.from({ length: n }, (_, i) => vectors[i * n + best]!);
}

/** One Jacobi rotation, which makes m[p, q] zero. */
function rotate(m: Float64Array, vectors: Float64Array, n: number, p: number, q: number): void {
  const apq = m[p * n + q]!;
  if (apq === 0) return;
  const theta = (m[q * n + q]! - m[p * n + p]!) / (2 * apq);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  for (let i = 0; i < n; i++) {
    const ip = m[i * n + p]!;
    const iq = m[i * n + q]!;
    m[i * n + p] = c * ip - s * iq;
    m[i * n + q] = s * ip + c * iq;
  }
  for (let i = 0; i < n; i++) {
    const pi = m[p * n + i]!;
    const qi = m[q * n + i]!;
    m[p * n + i] = c * pi - s * qi;
    m[q * n + i] = s * pi + c * qi;
    const vp = vectors[i * n + p]!;
    const vq = vectors[i * n + q]!;
    vectors[i * n + p] = c * vp - s * vq;
    vectors[i * n + q] = s * vp + c * vq;
  }
}

/** Four partial sums: a single one would have to wait for its own previous addition. */
function dot(x: Float64Array, y: Float64Array): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  const even = x.length & ~3;
  for (let i = 0; i < even; i += 4) {
    a += x[i]! * y[i]!;
    b += x[i + 1]! * y[i + 1]!;
    c += x[i + 2]! * y[i + 2]!;
    d += x[i + 3]! * y[i + 3]!;
  }
  for (let i = even; i < x.length; i++) a += x[i]! * y[i]!;
  return a + b + (c + d);
}

function norm(x: Float64Array): number {
  return Math.sqrt(dot(x, x));
}
