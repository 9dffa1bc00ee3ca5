/** Reads an atlas that another person may have made: within bounds, and nothing outside its folder. */
import { atlasLimits } from '../../checks/limits.js';
import { GanderError } from '../../errors/errors.js';
import type { DocumentPlace, OpenedAtlas } from '../calls.js';
import { Layout } from '../layout.js';
import type { OwnName, Where } from '../protocol.js';
import { type TableName, tables } from '../tables/index.js';
import type { Row } from '../tables/table.js';
import { incomplete, invalid, ordinaryFile, readAbout, readTableOf, tableFile } from './folder.js';
import { readNames } from './names.js';
import { rowsContaining } from './parquet.js';

/** @throws GanderError as all functions here: `io`; `trace-invalid`; `trace-newer` */
export async function openAtlas(folder: string): Promise<OpenedAtlas> {
  const about = readAbout(folder);
  const [layers, experts, labels] = [
    await rowsWhere(folder, 'layers', {}),
    await rowsWhere(folder, 'experts', {}),
    await rowsWhere(folder, 'labels', {}),
  ];
  if (layers.length !== about.layers.length || experts.length !== new Layout(about.layers).units)
    throw incomplete(folder, 'its files do not belong together');
  return { about, layers, experts, labels, ...namesIn(folder) };
}

/** Broken names are no reason not to show the atlas. */
function namesIn(folder: string): Pick<OpenedAtlas, 'names' | 'namesError'> {
  try {
    return { names: readNames(folder) };
  } catch (thrown) {
    return { names: [] as readonly OwnName[], namesError: GanderError.from(thrown).toData() };
  }
}

export async function rowsWhere(folder: string, name: TableName, where: Where): Promise<readonly Row[]> {
  const unknown = Object.keys(where).find((column) => !Object.hasOwn(tables[name].columns, column));
  if (unknown !== undefined)
    throw new GanderError('request-invalid', `The table ${name} has no column ${unknown}.`, 'Ask for one that it has.');
  return bounded(await readTableOf(folder, name, where), atlasLimits.rows);
}

/** The rows of all units for tokens that contain a text. */
export async function rowsOfToken(folder: string, token: string): Promise<readonly Row[]> {
  const file = ordinaryFile(folder, tableFile('tokens'), atlasLimits.table);
  const found: Row[] = [];
  try {
    for await (const row of rowsContaining(tables.tokens, 'token', token, file)) {
      found.push(row);
      if (found.length > atlasLimits.found) break;
    }
  } catch (cause) {
    throw invalid(folder, cause);
  }
  if (found.length <= atlasLimits.found) return found;
  throw new GanderError(
    'request-invalid',
    `More than ${atlasLimits.found} rows have a token with "${token.slice(0, 50)}".`,
    'Type more of the token.',
  );
}

export async function placeOf(folder: string, document: string): Promise<DocumentPlace> {
  const [row] = await readTableOf(folder, 'documents', { document });
  const { place, hash } = row ?? {};
  if (typeof place === 'string' && typeof hash === 'string') return { place, hash };
  throw new GanderError('request-invalid', 'The atlas does not say where this document is.', 'Choose another.');
}

function bounded(rows: readonly Row[], most: number): readonly Row[] {
  if (rows.length <= most) return rows;
  throw new GanderError(
    'trace-invalid',
    `This atlas has ${rows.length} rows here, more than can be shown.`,
    'Ask gander atlas show for a part of it.',
  );
}
