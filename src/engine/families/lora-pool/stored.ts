/** The experts' numbers, as the composed graph reads them. */
import { normalisedGate, orthonormalise, poolRank, topRightSingularVector } from '../../../graph/algebra.js';
import { DataFile } from '../../../graph/external.js';
import type { Site } from '../../../graph/find.js';
import type { Group } from '../../../graph/route.js';
import type { PoolExpert } from '../../../pool/pool.js';
import { GanderError } from '../../../shared/errors.js';
import type { RouterVectors } from '../../../strategies/strategy.js';
import type { FormName } from './compose.js';

/** Where router vectors lie in a composed pool's folder. */
export function routerFileName(router: RouterVectors): string {
  return `${router}.bin`;
}

/** Files of a composed pool that are written group by group. */
export class ExpertFiles {
  readonly #data: DataFile;
  readonly #routers: Readonly<Record<RouterVectors, DataFile>>;

  constructor(
    folder: string,
    private readonly experts: readonly PoolExpert[],
    private readonly form: FormName,
  ) {
    const file = (name: string) => new DataFile(folder, name);
    this.#data = file('experts.bin');
    this.#routers = {
      phatgoose: file(routerFileName('phatgoose')),
      'average-activation': file(routerFileName('average-activation')),
      arrow: file(routerFileName('arrow')),
    };
  }

  /** Bytes of the adapters. */
  get size(): number {
    return this.#data.size;
  }

  /** @param sites that share an input */
  store(sites: readonly Site[]): Group {
    const { experts, form } = this;
    const dIn = sites[0]!.dIn;
    const rank = rankOf(sites, experts);
    const numbers = new GroupNumbers(sites, experts, rank, form);
    // Router vectors of all groups follow one another with nothing between.
    for (const [router, file] of Object.entries(this.#routers))
      file.append(numbers.vectors[router as RouterVectors], 1);
    const size = experts.length * dIn * rank;
    const { down, ups } = numbers;
    const downs =
      form === 'gathered' ? sites.map((_, module) => down.subarray(module * size, (module + 1) * size)) : [down];
    const append = (part: Float32Array) => this.#data.append(part);
    return { sites, dIn, rank, down: downs.map(append), up: ups.map(append) };
  }

  close(): void {
    for (const file of [this.#data, ...Object.values(this.#routers)]) file.close();
  }
}

/** The largest rank of any expert at these sites. */
function rankOf(sites: readonly Site[], experts: readonly PoolExpert[]): number {
  const ranks = sites.map(({ path, dIn, dOut }) =>
    Math.max(...experts.map(({ adapter }) => poolRank(adapter.modules.get(path)?.rank ?? 1, dIn, dOut))),
  );
  return Math.max(1, ...ranks);
}

/** All experts' matrices and router vectors at the sites of one group, smaller ranks padded with zeros. */
class GroupNumbers {
  /** [dIn, g·N] */
  readonly vectors: Readonly<Record<RouterVectors, Float32Array>>;
  /** A' as the form has it (graph/route.ts). */
  readonly down: Float32Array;
  /** For each site [N·rank, dOut] B'. */
  readonly ups: readonly Float32Array[];

  constructor(
    sites: readonly Site[],
    private readonly experts: readonly PoolExpert[],
    private readonly rank: number,
    private readonly form: FormName,
  ) {
    const [{ dIn }, n] = [sites[0]!, experts.length];
    const columns = () => new Float32Array(dIn * sites.length * n);
    this.vectors = { phatgoose: columns(), 'average-activation': columns(), arrow: columns() };
    this.down = new Float32Array(dIn * sites.length * n * rank);
    this.ups = sites.map(({ dOut }) => new Float32Array(n * rank * dOut));
    sites.forEach((site, module) => experts.forEach((_, e) => this.#fill(site, module, e)));
  }

  #fill({ path, dIn, dOut }: Site, module: number, e: number): void {
    const { rank } = this;
    const expert = this.experts[e]!;
    const column = module * this.experts.length + e;
    const gate = expert.gates.get(path);
    if (gate) this.#setVector('phatgoose', column, normalisedGate(gate.read()));
    const mean = expert.activations?.get(path);
    if (mean) this.#setVector('average-activation', column, normalisedGate(mean.read()));
    const adapted = expert.adapter.modules.get(path);
    if (!adapted) return;
    const orthonormal = () => orthonormalise(adapted.a(), adapted.b(), adapted.scale, adapted.rank, dIn, dOut);
    const { a, b, rank: own } = named(expert, orthonormal);
    this.#setVector('arrow', column, topRightSingularVector(a, own, dIn));
    const [first, step] = this.#downAt(column, dIn);
    const up = this.ups[module]!;
    for (let r = 0; r < own; r++) {
      for (let d = 0; d < dIn; d++) this.down[first + d * step + r] = a[r * dIn + d]!;
      for (let o = 0; o < dOut; o++) up[(e * rank + r) * dOut + o] = b[o * own + r]!;
    }
  }

  /** Where an expert's A' begins, and how far apart its rows are: all columns side by side, or one matrix after another. */
  #downAt(column: number, dIn: number): [first: number, step: number] {
    const { rank } = this;
    return this.form === 'gathered' ? [column * dIn * rank, rank] : [column * rank, this.down.length / dIn];
  }

  #setVector(router: RouterVectors, column: number, vector: Float32Array): void {
    const into = this.vectors[router];
    const columns = into.length / vector.length;
    vector.forEach((x, d) => (into[d * columns + column] = x));
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
