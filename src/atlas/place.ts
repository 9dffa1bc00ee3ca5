/** Where an atlas is, and the documents of its corpus: each a file, or a row of one. */

export const folderEnding = '.gander-atlas';

/** Files that hold a document per row. */
export const rowEndings = ['.jsonl', '.parquet'];

export interface RowPlace {
  readonly file: string;
  /** From 1. */
  readonly number: number;
}

/** Undefined if the document is a whole file. */
export function rowOf(place: string): RowPlace | undefined {
  const [, file, number] = /^(.+):(\d{1,15})$/.exec(place) ?? [];
  if (file === undefined || !rowEndings.some((ending) => file.endsWith(ending))) return undefined;
  return { file, number: Number(number) };
}
