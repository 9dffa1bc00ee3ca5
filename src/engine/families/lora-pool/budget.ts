/** What composing a pool would take, computed before anything is written. */
import { poolRank } from '../../../graph/algebra.js';
import type { FoundModule } from '../../../graph/find.js';
import type { PoolExpert } from '../../../pool/pool.js';
import { layerOf } from './modules.js';
import { bytesInWords } from '../../../formats/bytes.js';
import { GanderError } from '../../../errors/errors.js';
import { poolLimits } from '../../../checks/limits.js';

/** The experts that can be composed, and why the others, by id, cannot. */
export interface Affordable {
  readonly experts: readonly PoolExpert[];
  readonly tooLarge: ReadonlyMap<string, GanderError>;
}

/** Router vectors per module and expert: gate, mean input, singular vector. */
const routers = 3;

/**
 * Leaves out experts whose share is out of all proportion: one that takes minutes of arithmetic by itself, or one of large
 * rank among many of small rank, as all are padded to the largest.
 *
 * @param groups modules that share an input
 * @throws GanderError `pool-invalid` if the pool is too large even without them
 */
export function affordable(groups: readonly (readonly FoundModule[])[], given: readonly PoolExpert[]): Affordable {
  const tooLarge = new Map<string, GanderError>();
  const leaveOut = (expert: PoolExpert, why: string) => {
    tooLarge.set(expert.id, new GanderError('expert-invalid', why, 'Save it with a smaller rank.'));
    return false;
  };
  const modules = groups.flat();
  let experts = given.filter(
    (expert) =>
      workOf(modules, expert) <= poolLimits.work ||
      leaveOut(expert, `its rank, ${expert.adapter.rank}, would take hours to compose`),
  );
  for (;;) {
    const own = sum(experts, (expert) => ownBytes(modules, expert));
    const padded = groups.map((group) => paddedBytes(group, experts));
    const total = sum(padded, (bytes) => bytes);
    if (experts.length === 0 || total <= Math.max(poolLimits.padded, poolLimits.paddedTimes * own)) {
      const most = Math.max(0, ...padded);
      if (total > poolLimits.composed || most > poolLimits.group) throw poolTooLarge(total, most);
      return { experts, tooLarge };
    }
    const largest = Math.max(...experts.map((expert) => rankOf(modules, expert)));
    const why = `all others would be padded to its rank, ${largest} (${bytesInWords(total)} instead of ${bytesInWords(own)})`;
    experts = experts.filter((expert) => rankOf(modules, expert) < largest || leaveOut(expert, why));
  }
}

/**
 * Groups modules by input, each group in the given order. Also by layer: the encoder's result is the input of all layers of the
 * decoder, and their experts would be too many for one group.
 */
export function sharingInput(modules: readonly FoundModule[]): FoundModule[][] {
  const groups = new Map<string, FoundModule[]>();
  for (const module of modules) {
    const key = `${layerOf(module.path)} ${module.input}`;
    const group = groups.get(key);
    if (group) group.push(module);
    else groups.set(key, [module]);
  }
  return [...groups.values()];
}

function poolTooLarge(total: number, group: number): GanderError {
  const [is, may] = total > poolLimits.composed ? [total, poolLimits.composed] : [group, poolLimits.group];
  return new GanderError(
    'pool-invalid',
    `The experts would take ${bytesInWords(is)}${is === group ? ' at modules that share one input' : ''}; at most ${bytesInWords(may)} are composed.`,
    'Split the pool, or remove the experts of the largest rank.',
  );
}

function rankAt(module: FoundModule, { adapter }: PoolExpert): number {
  const adapted = adapter.modules.get(module.path);
  return adapted ? poolRank(adapted.rank, module.dIn, module.dOut) : 0;
}

function rankOf(modules: readonly FoundModule[], expert: PoolExpert): number {
  return modules.reduce((most, module) => Math.max(most, rankAt(module, expert)), 0);
}

/** Multiplications, including those of Jacobi's method (rank³, about ten sweeps). */
function workOf(modules: readonly FoundModule[], expert: PoolExpert): number {
  return sum(modules, (module) => {
    const given = expert.adapter.modules.get(module.path)?.rank ?? 0;
    const rank = rankAt(module, expert);
    const product = given > rank ? given * module.dIn * module.dOut : 0;
    return product + rank ** 2 * (module.dIn + module.dOut) + 10 * rank ** 3;
  });
}

function ownBytes(modules: readonly FoundModule[], expert: PoolExpert): number {
  return 4 * sum(modules, (module) => rankAt(module, expert) * (module.dIn + module.dOut) + routers * module.dIn);
}

function paddedBytes(group: readonly FoundModule[], experts: readonly PoolExpert[]): number {
  const rank = experts.reduce((most, expert) => Math.max(most, rankOf(group, expert)), 1);
  return 4 * experts.length * sum(group, (module) => rank * (module.dIn + module.dOut) + routers * module.dIn);
}

function sum<T>(of: readonly T[], value: (one: T) => number): number {
  return of.reduce((total, one) => total + value(one), 0);
}
