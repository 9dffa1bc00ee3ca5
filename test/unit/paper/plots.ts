/** A plot of each kind. */
import type { BarsPlot, HeatPlot, LinesPlot, MapPlot, Named, TablePlot } from '../../../src/paper/plot.js';

export const experts: readonly Named[] = ['Python', 'SQL', 'TypeScript', 'Prose'].map((name, slot) => ({
  name,
  shortLabel: ['Py', 'SQL', 'TS', 'Pr'][slot]!,
  slot,
}));

export const bars: BarsPlot = {
  kind: 'bars',
  of: 'Expert',
  value: { title: 'Load', unit: '%', times: 100 },
  bars: experts.map((of, i) => ({
    of,
    value: 0.4 - i / 10,
    low: 0.35 - i / 10,
    high: 0.45 - i / 10,
    reference: 0.25,
  })),
  reference: 'Chance',
  interval: '95% interval',
};

export const lines: LinesPlot = {
  kind: 'lines',
  x: { title: 'Layer', first: 0 },
  y: { title: 'Probability', high: 1 },
  series: [
    { name: 'Now', values: [0.1, NaN, 0.5, 0.9] },
    { name: 'Before', values: [0.2, 0.3, 0.4, 0.8], isOld: true },
  ],
  reference: { name: 'Chance', value: 0.25 },
};

export const heat: HeatPlot = {
  kind: 'heat',
  rowTitle: 'Layer',
  rows: ['0', '1', '2'],
  columnTitle: 'Expert',
  columns: experts,
  value: { title: 'Load', unit: '%', times: 100 },
  values: [
    [0.5, 0.2, 0.2, 0.1],
    [0.25, 0.25, 0.25, 0.25],
    [0, 0.5, NaN, 0.5],
  ],
};

/** Around 0, with marks, and a row that has fewer cells. */
export const marked: HeatPlot = {
  ...heat,
  columns: ['0', '1', '2', '3'],
  value: { title: 'Load ÷ chance', unit: 'log2' },
  values: [
    [1, -Infinity, 0.5, NaN],
    [-3, 2],
    [0, 0, 0, 0],
  ],
  scale: { most: 2, weak: '-2 or less', strong: '+2 or more' },
  marks: {
    means: [
      ['cross', 'dead'],
      ['triangle', 'overloaded'],
      ['stroke', 'not known'],
    ],
    of: (row, column) =>
      row === 0 && column === 1 ? ['cross'] : row === 0 && column === 3 ? ['stroke'] : column === 0 ? ['triangle'] : [],
  },
};

export const table: TablePlot = {
  kind: 'table',
  head: ['Token', 'Share of its choices', 'Times seen'],
  rows: Array.from({ length: 80 }, (_, i) => [`word${i}, "quoted"`, `${i}%`, `${i}×`]),
};

export function map(runs: MapPlot['runs'], count: number): MapPlot {
  const levels = Array.from({ length: 30 }, (_, l) => ({ mark: String(l), name: `layer ${l}` }));
  const slotAt = (level: number, place: number) => Math.floor(place / 7 + level / 5) % experts.length;
  return {
    kind: 'map',
    runs,
    text: runs === 'across' ? 'Token' : 'Line',
    places: Array.from({ length: count }, (_, i) => ({
      number: String(i + 1),
      text: `word${i}`,
      begins: i % 12 === 0,
    })),
    model: 'Layer',
    levels,
    tone: slotAt,
    strength: (level, place) => ((level + place) % 17) / 16,
    say: (level, place) => experts[slotAt(level, place)]!.name,
    who: { title: 'Expert', of: (level, place) => experts[slotAt(level, place)]!.name },
    value: { title: 'Share of the weight', unit: '%', times: 100, of: (level, place) => ((level + place) % 17) / 16 },
    scale: { weak: 'smaller', strong: 'larger' },
    legend: experts,
    hues: [],
    isPale: false,
  };
}
