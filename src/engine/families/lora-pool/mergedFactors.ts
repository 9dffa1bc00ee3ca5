/**
 * One adapter made by averaging the experts' matrices separately: the mean of A, the mean of B and the mean scale, like
 * `average_lora_weights` in PHATGOOSE's released code. (The mean of the products B A is another model: the strategy `merged`.)
 */
import type { FoundModule } from '../../../graph/find.js';
import type { AdaptedModule } from '../../../pool/adapter.js';
import type { PoolExpert } from '../../../pool/pool.js';
import type { FloatType } from '../../../pool/safetensors.js';
import { mergedFactorsId } from './placing.js';

/** Bits of the mantissa, and the exponent of the smallest normal number. */
const kinds: Readonly<Record<FloatType, { readonly mantissa: number; readonly least: number }>> = {
  F32: { mantissa: 23, least: -126 },
  F16: { mantissa: 10, least: -14 },
  BF16: { mantissa: 7, least: -126 },
};

/** @param modules where at least one of the experts has matrices; an expert without any there counts as zeros */
export function mergedFactors(experts: readonly PoolExpert[], modules: readonly FoundModule[]): PoolExpert {
  const merged = new Map(
    modules.map((module) => {
      const parts = experts.flatMap(({ adapter }) => adapter.modules.get(module.path) ?? []);
      return [module.path, meanOf(parts, experts.length, module)] as const;
    }),
  );
  const rank = Math.max(...[...merged.values()].map((one) => one.rank));
  return {
    id: mergedFactorsId,
    name: mergedFactorsId,
    card: {},
    folder: '',
    bytes: 0,
    adapter: { rank, modules: merged, baseCopies: new Map() },
    gates: new Map(),
    hasExamples: false,
  };
}

function meanOf(parts: readonly AdaptedModule[], count: number, { dIn, dOut }: FoundModule): AdaptedModule {
  const rank = Math.max(...parts.map((part) => part.rank));
  const [first] = parts;
  const stored = parts.every((part) => part.stored === first!.stored) ? first!.stored : 'F32';
  return {
    rank,
    dIn,
    dOut,
    stored,
    scale: parts.reduce((sum, { scale }) => sum + scale, 0) / parts.length,
    a: () =>
      mean(
        parts.map(({ a, rank: own }) => ({ values: a(), columns: dIn, rows: own })),
        dIn,
        rank,
        count,
        stored,
      ),
    b: () =>
      mean(
        parts.map(({ b, rank: own }) => ({ values: b(), columns: own, rows: dOut })),
        rank,
        dOut,
        count,
        stored,
      ),
  };
}

interface Matrix {
  readonly values: Float32Array;
  readonly columns: number;
  readonly rows: number;
}

/**
 * [rows, columns], smaller matrices padded with zeros. Each sum is rounded to the type that they are stored in, as when a
 * checkpoint is averaged in its own type: in bfloat16 that shows in the third digit.
 */
function mean(parts: readonly Matrix[], columns: number, rows: number, count: number, stored: FloatType): Float32Array {
  const total = new Float32Array(rows * columns);
  for (const part of parts)
    part.values.forEach((x, at) => {
      const to = Math.floor(at / part.columns) * columns + (at % part.columns);
      total[to] = rounded(Math.fround(total[to]! + x), stored);
    });
  return total.map((x) => rounded(Math.fround(x / count), stored));
}

const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

/** The nearest number of a type; if two are equally near, the even one. */
export function rounded(x: number, type: FloatType): number {
  if (type === 'F32' || x === 0) return x;
  const { mantissa, least } = kinds[type];
  single[0] = x;
  const exponent = Math.max(((bits[0]! >>> 23) & 255) - 127, least);
  const unit = 2 ** (exponent - mantissa);
  const below = Math.floor(x / unit);
  const rest = x / unit - below;
  const up = rest > 0.5 || (rest === 0.5 && below % 2 !== 0);
  return (up ? below + 1 : below) * unit;
}
