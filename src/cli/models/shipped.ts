/** The models that ship with Gander: beside the program in a clone and in the extension; elsewhere `gander models get` puts them. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { GanderError } from '../../errors/errors.js';
import { bundledModels } from '../../product/bundled.js';
import modelFiles from '../../product/modelFiles.json' with { type: 'json' };
import { dataFolder } from '../paths.js';

export type ModelName = keyof typeof modelFiles;

export interface ModelFile {
  /** Inside the model's folder, with `/`. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

export const modelNames = bundledModels.map(({ folder }) => folder) as readonly ModelName[];

export const filesOf = (name: ModelName): readonly ModelFile[] => modelFiles[name];

export const bytesOf = (name: ModelName): number => filesOf(name).reduce((sum, { bytes }) => sum + bytes, 0);

export const isModelName = (text: string): text is ModelName => modelNames.some((name) => name === text);

/** Where fetched models are kept. */
export const fetchedModels = () => path.join(dataFolder(), 'models');

/** The folder of a model that ships; undefined: it is not on this machine. @param bundle folder of the running bundle, `dist` */
export function findModel(bundle: string, name: ModelName): string | undefined {
  return [path.resolve(bundle, '..', 'models', name), path.join(fetchedModels(), name)].find(existsSync);
}

/** The pool that ships, used if no other model is named. @throws GanderError `pool-missing` */
export const bundledPool = (bundle: string): string => shippedModel(bundle, bundledModels[0].folder);

/** A folder as the user named it; the name of a model that ships will do. @throws GanderError `pool-missing` */
export function namedModel(bundle: string, named: string): string {
  return !existsSync(named) && isModelName(named) ? shippedModel(bundle, named) : named;
}

function shippedModel(bundle: string, name: ModelName): string {
  const found = findModel(bundle, name);
  if (found !== undefined) return found;
  throw new GanderError(
    'pool-missing',
    `The model ${name} is not on this machine.`,
    `Type: gander models get ${name} (or name another with --pool or --model).`,
  );
}
