/** The experts' weights, in the form that the composed graph reads. */
import { orthonormalise, poolRank, topRightSingularVector } from '../../../graph/algebra.js';
import path from 'node:path';
import { DataFile } from '../../../graph/external.js';
import type { FoundModule } from '../../../graph/find.js';
import type { Group } from '../../../graph/route.js';
import type { PoolExpert } from '../../../pool/pool.js';
import { GanderError } from '../../../errors/errors.js';
import type { RouterVectors } from '../../../strategies/strategy.js';
import { readCached } from '../../runtime/cache.js';
import type { FormName } from './plan.js';
import type { RouterPlace } from './plan.js';
import { type WrittenVectors, writtenNames, writtenVectors } from './routerVectors.js';

const expertsName = 'experts.bin';
const vectorsName = (router: WrittenVectors) => `${router}.bin`;

/** Reads those of the composed experts' weights that onnxruntime does not read by itself. */
export class ExpertNumbers {
  constructor(readonly folder: string) {}

  /** Each place's [dIn, columns]. @throws GanderError `io` if the cache entry is gone */
  vectors(router: RouterVectors, places: readonly RouterPlace[], form: FormName): Float32Array[] {
    if (router === 'arrow') return places.map((place) => this.#arrow(place, form));
    const all = floats(readCached(path.join(this.folder, vectorsName(router))));
    let offset = 0;
    return places.map(({ dIn, columns }) => all.subarray(offset, (offset += dIn * columns)));
  }

  #arrow({ dIn, columns, rank, down }: RouterPlace, form: FormName): Float32Array {
    const vectors = new Float32Array(dIn * columns);
    const each = columns / down.length;
    const file = path.join(this.folder, expertsName);
    down.forEach((offset, i) => {
      const matrices = floats(readCached(file, { offset, length: 4 * dIn * each * rank }));
      for (let c = 0; c < each; c++) {
        const { first, step } = downAt(form, c, { dIn, rank, columns: each });
        const a = new Float32Array(rank * dIn);
        for (let d = 0; d < dIn; d++) for (let r = 0; r < rank; r++) a[r * dIn + d] = matrices[first + d * step + r]!;
        const vector = topRightSingularVector(a, rank, dIn);
        for (let d = 0; d < dIn; d++) vectors[d * columns + i * each + c] = vector[d]!;
      }
    });
    return vectors;
  }
}

/** Where a column's A' begins, and how far apart its rows are: columns are stored side by side, or one matrix after another. */
function downAt(form: FormName, column: number, { dIn, rank, columns }: Omit<RouterPlace, 'down'>) {
  return form === 'gathered'
    ? { first: column * dIn * rank, step: rank }
    : { first: column * rank, step: columns * rank };
}

function floats({ buffer, byteOffset, length }: Buffer): Float32Array {
  return new Float32Array(buffer, byteOffset, length / 4);
}

/** Files of a composed pool that are written group by group. */
export class ExpertFiles {
  readonly #data: DataFile;
  readonly #routers: readonly (readonly [WrittenVectors, DataFile])[];

  constructor(
    folder: string,
    private readonly experts: readonly PoolExpert[],
    private readonly form: FormName,
  ) {
    const file = (name: string) => new DataFile(folder, name);
    this.#data = file(expertsName);
    const known = writtenNames.filter((router) => experts.some((expert) => writtenVectors[router].of(expert)));
    this.#routers = known.map((router) => [router, file(vectorsName(router))]);
  }

  /** Bytes of the adapters. */
  get size(): number {
    return this.#data.size;
  }

  /** @param modules that share an input */
  store(modules: readonly FoundModule[]): Group {
    const { experts, form } = this;
    const dIn = modules[0]!.dIn;
    const rank = rankOf(modules, experts);
    const numbers = new GroupNumbers(modules, experts, rank, form);
    // Router vectors of all groups are stored without gaps.
    for (const [router, file] of this.#routers) file.append(numbers.vectors(router), 1);
    const size = experts.length * dIn * rank;
    const { down, ups } = numbers;
    const downs =
      form === 'gathered' ? modules.map((_, module) => down.subarray(module * size, (module + 1) * size)) : [down];
    const append = (part: Float32Array) => this.#data.append(part);
    return { modules, dIn, rank, down: downs.map(append), up: ups.map(append) };
  }

  close(): void {
    this.#data.close();
    for (const [, file] of this.#routers) file.close();
  }
}

/** The largest rank of any expert at these modules. */
function rankOf(modules: readonly FoundModule[], experts: readonly PoolExpert[]): number {
  const ranks = modules.map(({ path, dIn, dOut }) =>
    Math.max(...experts.map(({ adapter }) => poolRank(adapter.modules.get(path)?.rank ?? 1, dIn, dOut))),
  );
  return Math.max(1, ...ranks);
}

/** All experts' matrices and router vectors at the modules of one group, smaller ranks padded with zeros. */
class GroupNumbers {
  /** A', laid out as the form needs it (graph/route.ts). */
  readonly down: Float32Array;
  /** For each module, B' [N·rank, dOut]. */
  readonly ups: readonly Float32Array[];

  constructor(
    private readonly modules: readonly FoundModule[],
    private readonly experts: readonly PoolExpert[],
    private readonly rank: number,
    private readonly form: FormName,
  ) {
    const [{ dIn }, n] = [modules[0]!, experts.length];
    this.down = new Float32Array(dIn * modules.length * n * rank);
    this.ups = modules.map(({ dOut }) => new Float32Array(n * rank * dOut));
    modules.forEach((module, m) => experts.forEach((_, e) => this.#fill(module, m, e)));
  }

  /** [dIn, g·N], with a column of zeros for an expert that has no vector. */
  vectors(router: WrittenVectors): Float32Array {
    const { modules, experts } = this;
    const columns = modules.length * experts.length;
    const all = new Float32Array(modules[0]!.dIn * columns);
    const { of, made } = writtenVectors[router];
    modules.forEach(({ path }, module) =>
      experts.forEach((expert, e) => {
        const vector = of(expert)?.get(path);
        if (vector) made(vector.read()).forEach((x, d) => (all[d * columns + module * experts.length + e] = x));
      }),
    );
    return all;
  }

  #fill({ path, dIn, dOut }: FoundModule, module: number, e: number): void {
    const { rank } = this;
    const expert = this.experts[e]!;
    const column = module * this.experts.length + e;
    const adapted = expert.adapter.modules.get(path);
    if (!adapted) return;
    const orthonormal = () => orthonormalise(adapted.a(), adapted.b(), adapted.scale, adapted.rank, dIn, dOut);
    const { a, b, rank: own } = named(expert, orthonormal);
    const { first, step } = downAt(this.form, column, { dIn, rank, columns: this.down.length / (dIn * rank) });
    const up = this.ups[module]!;
    for (let r = 0; r < own; r++) {
      for (let d = 0; d < dIn; d++) this.down[first + d * step + r] = a[r * dIn + d]!;
      for (let o = 0; o < dOut; o++) up[(e * rank + r) * dOut + o] = b[o * own + r]!;
    }
  }
}

function named<T>(expert: PoolExpert, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const { code, message, remedy } = GanderError.from(error);
    throw new GanderError(code, `Expert "${expert.id}": ${message}`, remedy, { cause: error });
  }
}
