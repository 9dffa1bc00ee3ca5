/** A what-if that is worth looking at: found by running the model, since a text can do without most experts. */
import type { Intervention } from '../../src/trace/model/trace.js';
import { attributionIn } from '../store/attribution.js';
import type { Store } from '../store/store.js';

/** Of a mixture's experts, how many are tried, the most often chosen first; a pool's are all tried. */
export const most = 4;

/**
 * Knocks out one expert after another, and then for good the one whose knock-out cost the text most log-probability.
 * Rejects with a GanderError.
 */
export async function askStrongWhatIf(store: Store): Promise<void> {
  const found = await store.ask('attribute', { most });
  const { totals } = attributionIn(found);
  const expert = found.experts[totals.indexOf(Math.min(...totals))];
  if (!expert) return;
  const knockOut: Intervention = { action: 'knock-out', expert: expert.id, scope: {} };
  store.route([knockOut]);
}
