/** Checks that a model's configuration belongs to its graph, so that contradictions are found before a run. */
import { type Walk, walkOf } from '../../../graph/walk.js';
import type { GraphProto } from '../../../graph/model.js';
import { type Router, layerIn } from '../../../graph/moe/routers.js';
import { unreached } from '../../../graph/moe/reached.js';
import { GanderError } from '../../../errors/errors.js';
import type { Warning } from '../../../requests/description.js';
import type { Told } from './folder.js';

const remedy = 'Use the configuration that belongs to this model, or export the model again.';

/**
 * @returns where the graph deviates from the configuration in a way that may be the architecture's own rule
 * @throws GanderError `model-invalid` if the two belong to different models, or experts are missing
 */
export function checkAgreement(told: Told, graph: GraphProto, routers: readonly Router[]): Warning[] {
  const walk = walkOf(graph);
  for (const router of routers) {
    const { path, experts, k } = router;
    if (told.experts !== undefined && told.experts !== experts)
      throw contradiction(`The configuration says ${told.experts} experts, but ${path} chooses among ${experts}.`);
    if (told.k !== undefined && told.k !== k)
      throw contradiction(
        `The configuration sends each token to ${told.k} experts (num_experts_per_tok), but ${path} to ${k}.`,
      );
    checkReached(walk, router);
  }
  const layers = layersIn(walk);
  if (told.layers !== undefined && layers !== undefined && told.layers !== layers)
    throw contradiction(
      `The configuration says ${told.layers} layers (num_hidden_layers), but the graph has ${layers}.`,
    );
  return [...normalisation(told, routers), ...scoring(told, routers)];
}

function contradiction(what: string): GanderError {
  return new GanderError('model-invalid', what, remedy);
}

function checkReached(walk: Walk, { path, experts, chosen }: Router): void {
  const missing = chosen === undefined ? [] : unreached(walk, chosen, experts);
  if (missing.length === 0) return;
  throw new GanderError(
    'model-invalid',
    `${path} chooses among ${experts} experts, but the graph has no way to ${missing.join(', ')}: exporters that trace an example leave out the experts that it did not use.`,
    'Export the model with gander-training export-moe, or with a longer example.',
  );
}

/** How many layers the graph has, by the highest number in its products' names; undefined if these have none. */
function layersIn({ products }: Walk): number | undefined {
  const found = [...products.values()].flatMap((product) => layerIn(product) ?? []);
  return found.length > 0 ? Math.max(...found) + 1 : undefined;
}

function normalisation({ normalised }: Told, routers: readonly Router[]): Warning[] {
  // A router with k = 1 may leave its only weight as it is.
  const other = routers.find((one) => one.k > 1 && one.normalised !== undefined && one.normalised !== normalised);
  if (normalised === undefined || !other) return [];
  return [
    otherwise(
      `The configuration says norm_topk_prob ${normalised}, but ${other.path} ${other.normalised ? 'normalises' : 'does not normalise'} its weights.`,
    ),
  ];
}

function scoring({ scoring: said }: Told, routers: readonly Router[]): Warning[] {
  const other = routers.find((one) => one.scoring !== undefined && one.scoring !== said);
  if (said === undefined || !other) return [];
  return [otherwise(`The configuration says scoring_func ${said}, but ${other.path} uses ${other.scoring!}.`)];
}

function otherwise(what: string): Warning {
  return { code: 'config-contradicted', text: `${what} Gander shows what the graph computes.` };
}
