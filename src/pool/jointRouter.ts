import { GanderError } from '../errors/errors.js';
import { poolLimits } from '../checks/limits.js';
import type { JointRouter } from './manifest.js';
import { fileInside } from './paths.js';
import type { Vectors } from './adapter.js';
import { Safetensors, SafetensorsError } from './safetensors.js';

/**
 * Reads a jointly trained router: each module's matrix [experts, dIn], divided into the rows of each expert.
 *
 * @param experts ids of the rows, in order
 * @throws GanderError `pool-invalid`, `pool-unsafe-path`
 */
export function readJointRouter(folder: string, { weights, experts }: JointRouter): ReadonlyMap<string, Vectors> {
  return told(weights, () => {
    if (new Set(experts).size < experts.length) throw new SafetensorsError('two of its rows are for the same expert');
    const tensors = Safetensors.open(fileInside(folder, weights));
    const modules = [...tensors.header.tensors];
    if (modules.length > poolLimits.modules)
      throw new SafetensorsError(`it has ${modules.length} matrices; at most ${poolLimits.modules} modules are routed`);
    const widths = modules.map(([name, { shape }]) => {
      const [rows, dIn, ...more] = shape;
      if (rows !== experts.length || dIn === undefined || more.length > 0)
        throw new SafetensorsError(
          `"${name.slice(0, 120)}" is [${shape.join(', ')}], not one row for each of ${experts.length} experts`,
        );
      return [name, dIn] as const;
    });
    // Callers read a module's rows one expert after another, so its matrix is kept until the next module.
    let last: { readonly name: string; readonly matrix: Float32Array } | undefined;
    const row = (name: string, e: number, dIn: number) => {
      if (last?.name !== name) last = { name, matrix: told(weights, () => tensors.floats(name)) };
      return last.matrix.slice(e * dIn, (e + 1) * dIn);
    };
    return new Map(
      experts.map((id, e) => [
        id,
        new Map(widths.map(([name, dIn]) => [name, { length: dIn, read: () => row(name, e, dIn) }])),
      ]),
    );
  });
}

function told<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof SafetensorsError)) throw error;
    throw new GanderError('pool-invalid', `${file}: ${error.message}`, 'Train the router again.', { cause: error });
  }
}
