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

/** As wide as a logit lens: its numbers cannot be narrowed, and do not fit into a column of paper. */
export const wide: TablePlot = {
  kind: 'table',
  head: [
    'Layer',
    'With experts Likeliest',
    'With experts What came next',
    'Base model Likeliest',
    'Base model What came next',
    '',
  ],
  rows: Array.from({ length: 30 }, (_, i) => [
    String(29 - i),
    `␣implementation ${i}%`,
    `−${i}.99 (>8)`,
    '␣We 43%',
    `−1${i}.72 (>8)`,
    i % 4 === 0 ? '≠' : '',
  ]),
};

/** Words and numbers that are sentences. */
export const sentences: TablePlot = {
  kind: 'table',
  head: ['', ''],
  rows: [
    ['Really used (effective number of experts)', '10.9 of 12 chance 12.0'],
    ['Flipped choices', '16% of 9,270 choices: 309 tokens in 30 modules, without the first token'],
    ['Never chosen (dead experts)', 'none'],
    ['x'.repeat(120), 'y'.repeat(120)],
  ],
};

/** Long names, and something said at the end of each row. */
export const told: BarsPlot = {
  ...bars,
  value: {
    title: 'Share of the choices of all experts in this text, of the layers from 0 to 29',
    unit: '%',
    times: 100,
  },
  bars: bars.bars.map((bar, i) => ({
    ...bar,
    of: { ...bar.of, name: ['layer 23, Technical prose', 'HTML', 'TypeScript and JavaScript', 'Prose'][i]! },
    isWeak: i > 1,
    mark: ['↑ 3.0×', '', '0.9×', ''][i]!,
    ...(i === 3 && { note: 'knocked out', low: undefined, high: undefined }),
  })),
  reference: 'Over the corpus, which is longer than a line of this legend has room for in a column',
  weak: 'may be chance',
};

/** More columns than have room for their labels beside each other. */
export const crowded: HeatPlot = {
  ...heat,
  rows: Array.from({ length: 12 }, (_, slot) => ({ name: `Expert ${slot}`, shortLabel: 'HTM', slot })),
  columns: Array.from({ length: 12 }, (_, slot) => ({ name: `Expert ${slot}`, shortLabel: 'HTM', slot })),
  columnTitle: 'Expert',
  values: Array.from({ length: 12 }, (_, r) => Array.from({ length: 12 }, (_, c) => r + c)),
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
