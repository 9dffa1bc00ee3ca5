import { chosenOf, loadOf } from '../lift.js';
import { specialisation } from '../specialisation.js';
import { labels } from './labels.js';
import { type Counted, type Table, unitCells, unitColumns, units } from './table.js';

export const experts = {
  name: 'experts',
  columns: {
    ...unitColumns,
    tokens: 'count',
    documents: 'count',
    load: 'number',
    low: 'number',
    high: 'number',
    chance: 'number',
    weight: 'number',
    score: 'number',
    first: 'number',
    dead: 'flag',
    specialisation: 'number',
    specialisationChance: 'number',
    label: 'text',
  },
  rows: (from) => {
    const special = specialisation(
      from.labels.map(([, group]) => joined(group)),
      from.layout,
    );
    const tops = topLabels(from);
    return units(from.layout).map((u) => ({ ...rowOf(from, u), specialisation: special[u]!, label: tops[u]! }));
  },
} as const satisfies Table;

function rowOf({ layout, total, figures, chance }: Counted, u: number) {
  const { value, low, high } = loadOf(total, layout, u);
  const tokens = chosenOf(total, u);
  return {
    ...unitCells(layout, u),
    tokens,
    documents: total.within[u]!,
    load: value,
    low,
    high,
    chance: figures.choices.chance.mean(layout.layerOf[u]!),
    weight: figures.weights.weight.mean(u),
    score: figures.weights.score.mean(u),
    first: figures.weights.first[u]! / tokens,
    dead: tokens === 0,
    specialisationChance: chance.specialisation[u]!,
  };
}

/** [U] then [L], the format of a document's counts. */
function joined({ chosen, choices }: Counted['total']): Float64Array {
  const [units, layers] = [chosen[0].length, choices[0].length];
  const out = new Float64Array(units + layers);
  for (let u = 0; u < units; u++) out[u] = chosen[0][u]! + chosen[1][u]!;
  for (let l = 0; l < layers; l++) out[units + l] = choices[0][l]! + choices[1][l]!;
  return out;
}

/** [U] the label in which a unit is specialised with the largest lift; null if there is none. */
function topLabels(from: Counted): (string | null)[] {
  const best = units(from.layout).map((): { label: string | null; lift: number } => ({ label: null, lift: 0 }));
  labels.rows(from).forEach(({ label, lift, specialised }, i) => {
    const unit = best[Math.floor(i / from.labels.length)]!;
    if (specialised && lift > unit.lift) [unit.label, unit.lift] = [label, lift];
  });
  return best.map(({ label }) => label);
}
