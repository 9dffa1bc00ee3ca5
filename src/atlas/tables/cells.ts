/** Cells of rows that were read from a file or sent: whatever is no number there is unknown. */
import type { LayerKey, UnitKey } from '../../protocol/atlas.js';
import type { Row } from './table.js';

export function number(row: Row | undefined, name: string): number {
  const cell = row?.[name];
  return typeof cell === 'number' ? cell : NaN;
}

export function word(row: Row | undefined, name: string): string {
  const cell = row?.[name];
  return typeof cell === 'string' ? cell : '';
}

/** The layer that a row is about; null where it says nothing. */
export function layerKeyIn(row: Row): LayerKey {
  const { stack, layer, router } = row;
  return {
    stack: stack === 'encoder' || stack === 'decoder' ? stack : null,
    layer: typeof layer === 'number' ? layer : null,
    router: typeof router === 'string' ? router : null,
  };
}

export function unitKeyIn(row: Row): UnitKey {
  return { ...layerKeyIn(row), expert: number(row, 'expert') };
}
