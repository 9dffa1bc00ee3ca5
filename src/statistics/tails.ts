/** Tails of the normal and of Student's distribution. */

/** P(|Z| ≥ |z|) of a standard normal, to a relative 1.2e-7 (Press et al., Numerical Recipes, 6.2: erfcc). */
export function twoSided(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + x / 2);
  const terms = [
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223,
    0.17087277,
  ];
  return t * Math.exp(terms.reduceRight((sum, c) => sum * t + c, 0) - x * x);
}

/** The 97.5 % quantile of the standard normal. */
const z = 1.959963984540054;

/**
 * The 97.5 % quantile of Student's t: half the width of a 95 % interval in standard errors (Abramowitz & Stegun, 26.7.5; within
 * 0.3 % from 4 degrees of freedom on). NaN below 4.
 */
export function studentQuantile(freedom: number): number {
  if (freedom < 4) return NaN;
  const [z3, z5, z7] = [z ** 3, z ** 5, z ** 7];
  return (
    z +
    (z3 + z) / (4 * freedom) +
    (5 * z5 + 16 * z3 + 3 * z) / (96 * freedom ** 2) +
    (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * freedom ** 3)
  );
}
