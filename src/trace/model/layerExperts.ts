import { GanderError } from '../../errors/errors.js';
import type { Expert } from './trace.js';

/**
 * The experts of one layer, with ids and names that no other layer has. Everything that makes traces uses these names,
 * gander-trace in Python too, so that runs of one model from different programs can be compared.
 *
 * @param router which of the layer's routers they belong to, if it has several
 */
export function layerExperts(layer: number, count: number, router?: string): Expert[] {
  const [place, name] = router === undefined ? [`${layer}`, `${layer}`] : [`${layer}.${router}`, `${layer} ${router}`];
  return Array.from({ length: count }, (_, e) => ({ id: `${place}.${e}`, name: `Layer ${name} expert ${e}` }));
}

/** The experts that `2.4` may mean in a model whose layers have several routers: `2.self_attention.4`, `2.mlp.4`. */
export function meantBy(said: string, experts: readonly Expert[]): string[] {
  const [, layer, number] = /^(\d+)\.(\d+)$/.exec(said) ?? [];
  if (layer === undefined || number === undefined) return [];
  return experts.map(({ id }) => id).filter((id) => id.startsWith(`${layer}.`) && id.endsWith(`.${number}`));
}

export function ambiguousExpert(said: string, meant: readonly string[]): GanderError {
  return new GanderError(
    'request-invalid',
    `Which expert "${said}" is meant is not clear: the layer has ${meant.length} routers, with experts of their own.`,
    `Say ${meant.map((id) => `"${id}"`).join(' or ')}.`,
  );
}
