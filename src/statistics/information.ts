/** How much one choice says about another. */

export interface Information {
  /** Nats; 0 if the two are independent, NaN if the table is empty. */
  readonly value: number;
  /** The value that as many independent choices would have, to first order (Miller 1955): finite counts always look related. */
  readonly chance: number;
}

/** Mutual information of a table of counts. @param rows of the same length */
export function mutualInformation(rows: Iterable<ArrayLike<number>>): Information {
  const columns: number[] = [];
  let total = 0;
  let used = 0;
  let joint = 0;
  let byRow = 0;
  for (const row of rows) {
    let sum = 0;
    for (let c = 0; c < row.length; c++) {
      const count = row[c]!;
      if (count === 0) continue;
      columns[c] = (columns[c] ?? 0) + count;
      sum += count;
      joint += xLogX(count);
    }
    if (sum > 0) used++;
    byRow += xLogX(sum);
    total += sum;
  }
  const filled = columns.filter((count) => count > 0);
  const byColumn = filled.reduce((sum, count) => sum + xLogX(count), 0);
  return {
    value: Math.max(0, (joint - byRow - byColumn + xLogX(total)) / total),
    chance: ((used - 1) * (filled.length - 1)) / (2 * total),
  };
}

const xLogX = (x: number) => (x > 0 ? x * Math.log(x) : 0);
