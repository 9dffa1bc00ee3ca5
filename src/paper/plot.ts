/**
 * What a figure shows, as plain data. Everything that is saved of a figure is made of it: the drawing, for paper or as it is seen,
 * and the data with which others can draw it anew.
 */

/** An expert as figures show it. */
export interface Named {
  readonly name: string;
  /** Empty for what has no colour of its own, such as a label. */
  readonly shortLabel: string;
  /** Its colour, from `slotsOf`. */
  readonly slot: number;
}

/** What an axis says of its numbers. */
export interface Quantity {
  readonly title: string;
  readonly unit?: string;
  /** By what the figure's values are multiplied to be in this unit: 100 for a share in percent. Default: 1. */
  readonly times?: number;
}

export interface Bar {
  readonly of: Named;
  readonly value: number;
  /** The ends of its whisker. */
  readonly low?: number | undefined;
  readonly high?: number | undefined;
  /** What the value is compared with, such as chance. */
  readonly reference?: number | undefined;
  readonly isWeak?: boolean | undefined;
  /** Said at the end of its row, such as an arrow with a ratio. */
  readonly mark?: string | undefined;
  /** Stands instead of a bar where there is nothing to measure. */
  readonly note?: string | undefined;
}

export interface BarsPlot {
  readonly kind: 'bars';
  readonly of: string;
  readonly value: Quantity;
  readonly bars: readonly Bar[];
  /** What the bars' references are. */
  readonly reference?: string;
  /** What the whiskers are. */
  readonly interval?: string;
  /** What pale bars are. */
  readonly weak?: string;
}

interface Series {
  readonly name: string;
  readonly values: ArrayLike<number>;
  /** Drawn behind, in grey. */
  readonly isOld?: boolean;
}

export interface LinesPlot {
  readonly kind: 'lines';
  readonly x: { readonly title: string; readonly first: number };
  /** The axis goes from 0 to `high`. */
  readonly y: Quantity & { readonly high: number };
  readonly series: readonly Series[];
  readonly reference?: { readonly name: string; readonly value: number };
}

/** What is drawn on a cell beside its colour. */
export type CellMark = 'cross' | 'triangle' | 'dot' | 'stroke' | 'frame';

export interface HeatPlot {
  readonly kind: 'heat';
  readonly rowTitle: string;
  readonly rows: readonly (string | Named)[];
  readonly columnTitle: string;
  readonly columns: readonly (string | Named)[];
  readonly value: Quantity;
  /** [R][up to C] NaN if unknown. A row may have fewer cells than there are columns. */
  readonly values: readonly ArrayLike<number>[];
  /** As far as this to either side of 0, whatever the values are; beyond it there is no stronger colour. Its ends in words. */
  readonly scale?: { readonly most: number; readonly weak: string; readonly strong: string };
  readonly marks?: {
    /** What each means. */
    readonly means: readonly (readonly [CellMark, string])[];
    readonly of: (row: number, column: number) => readonly CellMark[];
  };
}

/** A token, or a line, of a map. */
export interface Place {
  /** As it is numbered. */
  readonly number: string;
  readonly text: string;
  /** A line of the text begins here. */
  readonly begins: boolean;
}

/** A layer, a module, or an expert of a map. */
export interface Level {
  readonly mark: string;
  readonly name: string;
}

/** Something of each cell. */
type Of<T> = (level: number, place: number) => T;

/** Text × model: a cell for each place and level. */
export interface MapPlot {
  readonly kind: 'map';
  /** How the text runs: tokens across, in as many bands as it takes, or lines down. */
  readonly runs: 'across' | 'down';
  readonly text: string;
  /** Undefined in the gap between two texts. */
  readonly places: readonly (Place | undefined)[];
  readonly model: string;
  readonly levels: readonly Level[];
  /** A palette slot, an index of `hues`, or below `quiet` where nothing is shown. */
  readonly tone: Of<number>;
  /** 0..1 */
  readonly strength: Of<number>;
  /** What a cell says in words. */
  readonly say: Of<string>;
  /** Which expert a cell stands for, if experts colour the cells. */
  readonly who?: {
    readonly title: string;
    readonly of: Of<string>;
    /** Its short label, for cells that have room for it; not where the level is the expert. */
    readonly mark?: Of<string>;
  };
  /** The number behind a cell's strength. */
  readonly value: Quantity & { readonly of: Of<number> };
  /** What the weakest and the strongest colour stand for. */
  readonly scale: { readonly weak: string; readonly strong: string };
  /** Experts by colour; none if a number colours the cells. */
  readonly legend: readonly Named[];
  /** If a number colours the cells: what each of the look's two hues stands for. */
  readonly hues: readonly string[];
  /** As pale as its number is small: the colour need not say which expert it is. */
  readonly isPale: boolean;
  /** The first place of what the model wrote, and what says so; none if it was given all of the text. */
  readonly written?: { readonly from: number; readonly says: string };
}

export interface TablePlot {
  readonly kind: 'table';
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export type Plot = BarsPlot | LinesPlot | HeatPlot | MapPlot | TablePlot;

/** `Load (%)` */
export function titleOf({ title, unit }: Quantity): string {
  return unit === undefined ? title : `${title} (${unit})`;
}
