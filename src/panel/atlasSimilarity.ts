import * as vscode from 'vscode';
import type { About } from '../atlas/about.js';
import type { AtlasCalls } from '../atlas/protocol.js';
import type { EngineHost } from '../host/engineHost.js';
import { layerId, layerKeyOf } from '../protocol/atlas.js';
import type { Similarity } from '../requests/api.js';
import type { RoutingService } from '../routing/service.js';
import { planeOf, type Planes } from '../similarity/planes.js';
import { checkModel } from './atlasText.js';

/** How alike the experts of an atlas's pool are, as Compare Experts has it; computed once for each pool. */
export class AtlasSimilarity {
  #kept: { readonly hash: string | null; readonly similarity: Promise<Similarity> } | undefined;

  constructor(private readonly services: { readonly service: RoutingService; readonly engines: EngineHost }) {}

  /** Of a unit's expert and all others of its layer, or of all layers. Rejects with a GanderError. */
  async around(
    { run, layers }: About,
    { unit: { expert, ...place } }: AtlasCalls['similar']['request'],
    signal?: AbortSignal,
  ): Promise<AtlasCalls['similar']['result']> {
    checkModel(run, await this.services.service.describe());
    const own = layers.find((one) => layerId(one) === layerId(place))?.experts ?? [];
    const similarity = await this.#of(run.hash, signal);
    const indexOf = (id: string) => similarity.experts.findIndex((one) => one.id === id);
    const at = similarity.layers.findIndex((one) => layerId(layerKeyOf(one)) === layerId(place));
    const from = indexOf(own[expert]?.id ?? '');
    const n = similarity.experts.length;
    const cosine = (planes: Planes, to: number) => {
      const value = planeOf(planes, at < 0 ? undefined : at)[from * n + to];
      return value === undefined || Number.isNaN(value) ? null : value;
    };
    return own.flatMap(({ id }, e) => {
      const to = indexOf(id);
      if (e === expert || to < 0 || from < 0) return [];
      return [{ ...place, expert: e, gate: cosine(similarity.gate, to), adapter: cosine(similarity.adapter, to) }];
    });
  }

  #of(hash: string | null, signal?: AbortSignal): Promise<Similarity> {
    if (this.#kept?.hash === hash) return this.#kept.similarity;
    const title = vscode.l10n.t('Comparing the experts');
    const similarity = Promise.resolve(
      vscode.window.withProgress({ location: vscode.ProgressLocation.Window, title }, async () =>
        this.services.engines.engine.similarity({}, signal ? { signal } : {}),
      ),
    );
    const kept = { hash, similarity };
    this.#kept = kept;
    // It can be tried again.
    similarity.catch(() => this.#kept === kept && (this.#kept = undefined));
    return similarity;
  }
}
