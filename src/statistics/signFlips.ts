/**
 * The chance of a sum as low as that of the values, if each could as well have the other sign: the exact permutation test of
 * paired differences (Fisher 1935). For few values: it tries all 2^n signs.
 */
export function chanceOfLess(values: readonly number[]): number {
  const total = values.reduce((a, b) => a + b, 0);
  // Equal sums may differ slightly, because they were added in a different order.
  const most = total + 1e-9 * values.reduce((a, b) => a + Math.abs(b), 0);
  const patterns = 2 ** values.length;
  let reached = 0;
  for (let signs = 0; signs < patterns; signs++)
    if (values.reduce((sum, x, i) => sum + ((signs >> i) & 1 ? -x : x), 0) <= most) reached++;
  return reached / patterns;
}
