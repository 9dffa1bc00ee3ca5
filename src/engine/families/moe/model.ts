import { statSync } from 'node:fs';
import { eightBitWarnings } from '../../../graph/rounded.js';
import { GanderError } from '../../../errors/errors.js';
import { ganderVersion } from '../../../product/version.js';
import type { Strategy } from '../../../strategies/strategy.js';
import { nativeRouter } from '../../../strategies/native.js';
import type { Intervention, Router, Source } from '../../../trace/model/trace.js';
import type { MoeInfo, RouteRequest } from '../../../requests/api.js';
import type { Cache } from '../../runtime/cache.js';
import type { Chunk } from '../../runtime/causal.js';
import { stampOf } from '../../runtime/seal.js';
import { type Hardware, onnxruntimeName, processor } from '../../runtime/session.js';
import { Tokenizer } from '../../runtime/tokenizer.js';
import type { LensPlace } from '../../runtime/lens.js';
import type { LensRuns, Means, Model, Run } from '../family.js';
import { type Composed, compose, composedWith, filesOf, hashOf } from './compose.js';
import { type MoeFolder, readMoeFolder } from './folder.js';
import { type Plan, groupsHold, mostK, nativeK, setsOf, modulesOf, takesK } from './plan.js';
import { MoeRecording } from './recording.js';
import { MoeLens, MoeSession, type MoeStep } from './session.js';
import { MoeSteering } from './steering.js';

/** Opens a composed graph for one kind of use. */
interface Opening<S> {
  open(composed: Composed, on: Hardware, cache: Cache): Promise<S>;
}

/** A mixture of experts as it was read from disk, and what is kept of it in memory. */
export class MoeModel implements Model {
  readonly tokenizer: Tokenizer;
  readonly #folder: MoeFolder;
  readonly #files: readonly string[];
  readonly #watched: readonly string[];
  readonly #signature: string;
  readonly #means: Means;
  readonly hash: string;
  readonly #source: Source;
  #composed: Composed | undefined;
  /** The open session, and the number of experts per token that it was opened for. */
  #session:
    { readonly k: number; readonly of: MoeSession | MoeLens; readonly by: Opening<MoeSession | MoeLens> } | undefined;

  constructor(chosen: string, means: Means) {
    const { cache } = means;
    this.#folder = readMoeFolder(chosen);
    this.#files = filesOf(this.#folder, cache);
    this.#watched = [...this.#files, this.#folder.card];
    this.#signature = signatureOf(this.#watched);
    this.#means = means;
    this.hash = hashOf(this.#folder, this.#files, (file) => cache.hash(file));
    cache.save();
    const { name, tokenizer } = this.#folder;
    this.tokenizer = new Tokenizer(tokenizer);
    this.#source = {
      kind: 'moe',
      name,
      hash: this.hash,
      tokenizer: cache.hash(tokenizer),
      versions: { gander: ganderVersion, onnxruntime: onnxruntimeName(means.on) },
    };
  }

  get contextLength(): number {
    return this.#folder.contextLength;
  }

  get endTokens(): ReadonlySet<number> {
    return this.#folder.endTokens;
  }

  isCurrent(): boolean {
    return signatureOf(this.#watched) === this.#signature;
  }

  async info(): Promise<MoeInfo> {
    const { plan } = await this.#compose();
    const { folder, name, contextLength, warnings } = this.#folder;
    return {
      kind: 'moe',
      name,
      folder,
      hash: this.hash,
      router: this.#router(plan),
      ...(takesK(plan) && { mostK: mostK(plan) }),
      expertSets: setsOf(plan),
      modules: modulesOf(plan),
      contextLength,
      warnings: [...warnings, ...plan.warnings, ...eightBitWarnings(plan.eightBits, await processor())],
    };
  }

  async begin({ strategy, interventions = [] }: RouteRequest): Promise<Run> {
    const session = await this.#open(kOf(strategy), MoeSession);
    return this.#run(session, interventions);
  }

  async beginLens({ strategy, interventions = [] }: RouteRequest, place: LensPlace): Promise<LensRuns> {
    const lens = await this.#open(kOf(strategy), MoeLens);
    return {
      layers: lens.layers,
      routed: lens.at(place, new MoeSteering(lens.plan, interventions)),
      without: { none: 'mixture' },
    };
  }

  async release(): Promise<void> {
    await this.#session?.of.release();
  }

  #run(session: MoeSession, interventions: readonly Intervention[]): Run<MoeStep> {
    const { plan } = session;
    const steering = new MoeSteering(plan, interventions);
    return {
      recording: new MoeRecording(plan, this.#router(plan), interventions, this.#source),
      run: (chunk: Chunk) => session.run(chunk, steering),
      with: (intervention) => this.#run(session, [...interventions, intervention]),
    };
  }

  #router(plan: Plan): Router {
    const { scoring } = plan;
    return {
      name: this.#folder.type ?? 'unknown',
      k: nativeK(plan),
      ...(scoring && { scoring }),
    };
  }

  /** Composes again if the cached graph is gone or damaged. */
  async #compose(): Promise<Composed> {
    const { cache, loading } = this.#means;
    if (this.#composed && cache.holds(this.#composed.entry)) return this.#composed;
    // Windows does not replace a file that a session has open.
    await this.#session?.of.release();
    this.#session = undefined;
    await loading();
    this.#composed = compose(this.#folder, this.#files, this.hash, cache);
    return this.#composed;
  }

  /** @throws GanderError `request-invalid` for a k that the graph does not take */
  async #open<S extends MoeSession | MoeLens>(asked: number | undefined, as: Opening<S>): Promise<S> {
    const composed = await this.#compose();
    const own = nativeK(composed.plan);
    if (asked !== undefined && asked !== own && !takesK(composed.plan))
      throw new GanderError(
        'request-invalid',
        `This model sends each token to ${own} experts: its graph is fixed to that number.`,
        'Ask without a number of experts.',
      );
    const most = groupsHold(composed.plan);
    if (asked !== undefined && most !== undefined && asked > most)
      throw new GanderError(
        'request-invalid',
        `This model chooses within groups of its experts, which may hold no more than ${most} for a token, not ${asked}.`,
        `Ask for ${most} experts or fewer.`,
      );
    const k = Math.min(asked ?? own, mostK(composed.plan));
    if (this.#session?.k === k && this.#session.by === as) return this.#session.of as S;
    // Two open sessions would take the model's memory twice.
    await this.#session?.of.release();
    this.#session = undefined;
    await this.#means.loading();
    const chosen = k === own ? composed : composedWith(composed, k, this.#means.cache);
    const { on, cache } = this.#means;
    const opened = await as.open(chosen, on, cache);
    this.#session = { k, of: opened, by: as };
    return opened;
  }
}

/** The requested number of experts per token. @throws GanderError `strategy-unavailable` for a strategy of pools */
function kOf(strategy: Strategy | undefined): number | undefined {
  if (strategy && strategy.name !== nativeRouter.name)
    throw new GanderError(
      'strategy-unavailable',
      `This model routes by its native router; it takes no strategy "${strategy.name}".`,
      'Ask without a strategy.',
    );
  return strategy?.k;
}

/** Changes when one of the files is written to, replaced or removed. */
function signatureOf(files: readonly string[]): string {
  return files
    .map((file) => {
      const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
      return stat ? stampOf(stat) : '';
    })
    .join('\0');
}
