/** Splits the choices that a what-if changed into direct and downstream effects. */
import { chosenAt, isSpecial, matches, rowsAt } from '../model/access.js';
import type { Difference } from './difference.js';
import type { CellBias } from '../model/whatIf.js';
import type { Trace } from '../model/trace.js';

/** Shares of a layer's cells, one for each layer of the difference. Special tokens are left out. */
export interface Consequences {
  readonly direct: readonly number[];
  readonly downstream: readonly number[];
}

/** @param found the difference between the run without the what-if (`before`) and the run with it */
export function consequences(
  before: Trace,
  after: Trace,
  { alignment, modules, flips, layers }: Difference,
): Consequences {
  const counts = layers.map(() => ({ cells: 0, direct: 0, downstream: 0 }));
  const columns = alignment.a.length;
  modules.forEach(({ module, a, b }, row) => {
    const [was, is] = [rowsAt(before, a), rowsAt(after, b)];
    const count = counts[layers.findIndex((layer) => matches(module, layer))]!;
    for (let c = 0; c < columns; c++) {
      const flipped = flips[row * columns + c]!;
      const [ta, tb] = [alignment.a[c]!, alignment.b[c]!];
      if (flipped < 0 || isSpecial(after.sequences[module.sequence]!, tb)) continue;
      count.cells++;
      if (flipped === 0) continue;
      const bias = is.whatIf?.at(tb);
      if (bias && isDirect(bias, chosenAt(was, ta), chosenAt(is, tb))) count.direct++;
      else count.downstream++;
    }
  });
  return {
    direct: counts.map(({ direct, cells }) => direct / cells),
    downstream: counts.map(({ downstream, cells }) => downstream / cells),
  };
}

/** Whether an expert was forced, or an expert that an intervention names appeared or disappeared. */
function isDirect({ bias, forced }: CellBias, was: Int16Array, is: Int16Array): boolean {
  return forced >= 0 || bias.some((amount, e) => amount !== 0 && was.includes(e) !== is.includes(e));
}
