import * as vscode from 'vscode';
import type { About } from '../atlas/about.js';
import { placedIn } from '../atlas/layout.js';
import type { AtlasCalls } from '../atlas/protocol.js';
import { GanderError } from '../errors/errors.js';
import { preferredStrategy } from '../host/settings.js';
import { checkText } from '../host/texts.js';
import { layerId } from '../protocol/atlas.js';
import { isSameModel, type SourceDescription } from '../requests/description.js';
import type { RoutingService } from '../routing/service.js';
import type { Strategy } from '../strategies/strategy.js';
import { usage } from '../trace/figures/usage.js';

/** Routes a text as the atlas's corpus was routed: each unit's share of the choices at its layer. Rejects with a GanderError. */
export async function unitsOfText(
  service: RoutingService,
  { run, layers }: About,
  text: string,
  signal?: AbortSignal,
): Promise<AtlasCalls['text']['result']> {
  const source = await service.describe();
  const strategy = strategyFor(run, source);
  checkText(text, source.limits.tokens);
  const trace = await service.route({ text, strategy, interventions: [] }, signal ? { signal } : {});
  const { layout, modules } = placedIn(trace);
  return layout.layers.flatMap(({ modules: _, experts, ...place }, l) => {
    const known = layers.find((one) => layerId(one) === layerId(place))?.experts ?? [];
    const { share } = usage(trace, modules[l]!);
    return experts.flatMap(({ id }, e) => {
      const expert = known.findIndex((one) => one.id === id);
      return expert < 0 || share[e] === 0 ? [] : [{ ...place, expert, share: share[e]! }];
    });
  });
}

/** How the corpus was routed. @throws GanderError `request-invalid` if the atlas is of another model than the one in use */
export function strategyFor(run: About['run'], source: SourceDescription): Strategy {
  checkModel(run, source);
  const { name, k } = run.router;
  // A mixture's router has a name of its own, but is asked for by k.
  const isOffered = source.can.strategies.some((offer) => offer.name === name);
  return { ...preferredStrategy(source), ...(isOffered && { name }), ...(k !== null && { k }) };
}

/** @throws GanderError `request-invalid` if the atlas is of another model than the one in use */
export function checkModel(run: About['run'], source: SourceDescription): void {
  if (!isSameModel(run, source)) throw ofAnother(run, source);
}

function ofAnother({ name, hash }: About['run'], source: SourceDescription): GanderError {
  const version = hash === null ? '' : ` (${hash.slice(0, 12)})`;
  return new GanderError(
    'request-invalid',
    vscode.l10n.t('This atlas is of the model {0}, but {1} is in use.', `${name}${version}`, source.name),
    vscode.l10n.t('Choose that model (Gander: Choose Model…), then try again.'),
  );
}
