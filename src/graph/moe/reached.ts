/** Which experts a graph can reach, if it has a path for each: a loop over experts that an exporter unrolled. */
import { type Walk, integersOf, usersOf } from '../walk.js';

/** Operators after which experts can still be distinguished, by number or by position. */
const keeps = new Set(['Cast', 'Identity', 'Reshape', 'Squeeze', 'Unsqueeze', 'Transpose']);

/**
 * The experts, of E, that no part of the graph uses; empty if the graph does not go expert by expert.
 *
 * @param chosen [T, k] indices of experts
 */
export function unreached(walk: Walk, chosen: string, experts: number): number[] {
  const found = new Set<number>();
  const open = [{ name: chosen, isHot: false }];
  const seen = new Set<string>();
  for (let one = open.pop(); one; one = open.pop()) {
    const { name, isHot } = one;
    if (seen.has(name)) continue;
    seen.add(name);
    for (const n of usersOf(walk, name)) {
      const [first, second] = n.input;
      if (n.opType === 'OneHot' && first === name) open.push({ name: n.output[0]!, isHot: true });
      else if (keeps.has(n.opType) && first === name) open.push({ name: n.output[0]!, isHot });
      else if (!isHot && n.opType === 'Equal') add(found, walk, first === name ? second : first);
      else if (isHot && n.opType === 'Gather' && first === name) add(found, walk, second);
    }
  }
  return found.size === 0 ? [] : Array.from({ length: experts }, (_, e) => e).filter((e) => !found.has(e));
}

function add(found: Set<number>, walk: Walk, numbers: string | undefined): void {
  for (const e of integersOf(walk, numbers)?.values ?? []) found.add(e);
}
