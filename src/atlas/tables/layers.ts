import { chanceLoad, load } from '../../statistics/load.js';
import { type Information, mutualInformation } from '../../statistics/information.js';
import { choicesAt, chosenOf } from '../lift.js';
import { type Counted, layerCells, layerColumns, type Table } from './table.js';

export const layers = {
  name: 'layers',
  columns: {
    ...layerColumns,
    experts: 'count',
    cells: 'count',
    choices: 'count',
    cv: 'number',
    cvChance: 'number',
    entropy: 'number',
    entropyChance: 'number',
    effective: 'number',
    effectiveChance: 'number',
    maxVio: 'number',
    dead: 'count',
    deadChance: 'number',
    scoreEntropy: 'number',
    topProbability: 'number',
    topProbabilityChance: 'number',
    margin: 'number',
    labelInformation: 'number',
    labelInformationChance: 'number',
    tokenInformation: 'number',
    tokenInformationChance: 'number',
    classInformation: 'number',
    classInformationChance: 'number',
    placeInformation: 'number',
    placeInformationChance: 'number',
  },
  rows: (from) => from.layout.layers.map((_, l) => rowOf(from, l)),
} as const satisfies Table;

function rowOf(from: Counted, l: number) {
  const { layout, figures, total, labels, chance } = from;
  const experts = layout.layers[l]!.experts.length;
  const choices = choicesAt(total, l);
  const cells = figures.choices.cells[l]!;
  const { certainty, classes } = figures;
  const byLabel = mutualInformation(labels.map(([, group]) => layout.of(chosenBy(group, layout.units), l)));
  return {
    ...layerCells(layout, l),
    experts,
    cells,
    choices,
    ...evenness(layout.of(chosenBy(total, layout.units), l), cells, choices),
    scoreEntropy: certainty.entropy.mean(l),
    topProbability: certainty.mass.mean(l),
    topProbabilityChance: choices / cells / experts,
    margin: certainty.margin.mean(l),
    labelInformation: labels.length > 1 ? byLabel.value : NaN,
    labelInformationChance: chance.information[l]!,
    ...named('token', tokenInformation(from, l)),
    ...named('class', mutualInformation(classes.rows('byClass', l))),
    ...named('place', mutualInformation(classes.rows('byPlace', l))),
  };
}

function chosenBy(group: Counted['total'], units: number): Float64Array {
  return Float64Array.from({ length: units }, (_, u) => chosenOf(group, u));
}

/** As defined in statistics/load.ts. */
function evenness(chosen: Float64Array, cells: number, choices: number) {
  const share = chosen.map((count) => count / choices);
  const { cv, entropyRatio, effective, maxVio, dead } = load(share);
  const even = chanceLoad({ share, cells, choices });
  return {
    cv,
    cvChance: even.cv,
    entropy: entropyRatio,
    entropyChance: even.entropyRatio,
    effective,
    effectiveChance: even.effective,
    maxVio,
    dead: dead.length,
    deadChance: even.dead,
  };
}

function tokenInformation({ layout, figures }: Counted, l: number): Information {
  const rows = [...figures.vocabulary.counts.read].sort(([a], [b]) => a - b);
  return mutualInformation(rows.map(([, counts]) => layout.of(counts, l)));
}

function named<Name extends string>(name: Name, { value, chance }: Information) {
  return { [`${name}Information`]: value, [`${name}InformationChance`]: chance } as Record<
    `${Name}Information` | `${Name}InformationChance`,
    number
  >;
}
