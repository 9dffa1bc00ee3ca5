import type { PoolExpert } from '../../../pool/pool.js';
import { adapterCosines, gateCosines } from '../../../similarity/cosines.js';
import { PlanesOf } from '../../../similarity/planes.js';
import { layersIn } from '../../../trace/model/access.js';
import type { Similarity } from '../../../requests/api.js';
import type { Module } from './plan.js';

/**
 * How similar experts are at the modules that the base has; read module by module, to keep little in memory at a time.
 *
 * @param between called before each module and after the last, and awaited
 * @throws GanderError `expert-invalid`, `io`
 */
export async function similarityOf(
  experts: readonly PoolExpert[],
  modules: readonly Module[],
  between: (done: number, total: number) => Promise<void>,
): Promise<Similarity> {
  const [gate, adapter] = [new PlanesOf(experts.length, modules), new PlanesOf(experts.length, modules)];
  for (const [done, module] of modules.entries()) {
    await between(done, modules.length);
    const { path } = module;
    // A gate without an adapter does not count.
    const gates = experts.map((one) => (one.adapter.modules.has(path) ? one.gates.get(path)?.read() : undefined));
    gate.add(module, gateCosines(gates));
    adapter.add(
      module,
      adapterCosines(
        experts.map((expert) => {
          const adapted = expert.adapter.modules.get(path);
          return adapted && { ...adapted, a: adapted.a(), b: adapted.b() };
        }),
      ),
    );
  }
  await between(modules.length, modules.length);
  return {
    experts: experts.map(({ id, name }) => ({ id, name })),
    layers: layersIn(modules),
    gate: gate.planes(),
    adapter: adapter.planes(),
  };
}
