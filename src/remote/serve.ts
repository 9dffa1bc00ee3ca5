/** gander-serve, which answers with traces: python/gander-serve/PROTOCOL.md. */
import { z } from 'zod';
import type {
  Attribution,
  AttributeRequest,
  GenerateRequest,
  RouteRequest,
  RunOptions,
  Score,
  ServerInfo,
} from '../requests/api.js';
import { GanderError } from '../errors/errors.js';
import { importLimits, serverLimits, traceLimits } from '../checks/limits.js';
import { isObject } from '../checks/plain.js';
import { schemaProblem } from '../checks/schemaWords.js';
import { type Ability, abilities, expertsElsewhere } from '../requests/description.js';
import { offersOf } from '../strategies/index.js';
import { expertSetSchema, writtenIntervention } from '../trace/file/container.js';
import { decodeTrace } from '../trace/file/file.js';
import { presentStrategy } from '../trace/file/renamed.js';
import type { Trace } from '../trace/model/trace.js';
import { encryptionWarnings } from '../source/serverAddress.js';
import { logProbability } from './choices.js';
import { framesOf, frameKinds, framesType, type Frame } from './frames.js';
import { type Asked, attributionBytes, traceBytes } from './bounds.js';
import type { Faults } from './faults.js';
import type { Answer } from './http.js';
import type { Reach, Server, ServerKind } from './server.js';

export const ganderServe: ServerKind = {
  claims: ({ info }) => isObject(info) && info['server'] === 'gander-serve',
  open: ({ info }, reach) => {
    const said = read(info, reach.http.faults);
    return Promise.resolve(new GanderServe(reach.http.faults.described(infoOf(said, reach)), said.strategies, reach));
  },
};

const name = z.string().min(1).max(500);
const experts = z.array(z.object({ id: name, name })).max(serverLimits.experts);
const index = z.int().min(0);

const schema = z.object({
  protocol: z.literal(1),
  name,
  limits: z.object({ tokens: z.int().min(1), k: z.int().min(1).exactOptional() }),
  can: z.object({
    generate: z.boolean(),
    whatIf: z.boolean(),
    attribute: z.boolean(),
    stream: z.boolean(),
    // Older servers do not say.
    score: z.boolean().optional(),
    target: z.boolean().optional(),
  }),
  strategies: z.array(z.string()),
  experts: experts.optional(),
  sites: z
    .array(
      z.object({
        path: name,
        layer: index,
        stack: z.enum(['encoder', 'decoder']).exactOptional(),
        kind: name,
        sequence: index,
        expertSet: index,
      }),
    )
    .max(traceLimits.modules),
  expertSets: z.array(expertSetSchema(experts)).max(traceLimits.modules),
  warnings: z.array(z.object({ code: name, text: z.string().max(2000) })).max(1000),
  versions: z.record(z.string(), z.string()),
});

const no: Ability = { reason: 'The server does not do this with its model.' };
const older: Ability = { reason: 'This version of gander-serve does not score.' };

type Said = z.infer<typeof schema>;

/** @throws GanderError `server-invalid` */
function read(info: unknown, faults: Faults): Said {
  const { data, error } = schema.safeParse(info);
  if (!data) throw faults.odd(`its description of itself cannot be used: ${schemaProblem(error)}`, error);
  if (data.sites.some(({ expertSet }) => expertSet >= data.expertSets.length))
    throw faults.odd('its routed modules refer to experts that it does not list');
  return data;
}

function infoOf(said: Said, { http: { faults } }: Reach): ServerInfo {
  const { name: called, limits, can, strategies, sites: modules, expertSets, warnings, versions } = said;
  const able = (whether: boolean): Ability => (whether ? true : no);
  return {
    kind: 'server',
    engine: 'gander-serve',
    address: faults.address,
    versions,
    name: called,
    can: {
      ...abilities(
        {
          route: true,
          stream: able(can.stream),
          generate: able(can.generate),
          whatIf: able(can.whatIf),
          attribute: able(can.attribute),
          score: can.score === undefined ? older : able(can.score),
          similarity: expertsElsewhere,
        },
        no,
      ),
      // In the server's order, because it uses the first if none is named.
      strategies: strategies.flatMap((one) => offersOf([presentStrategy(one)])),
      ...(can.target === true && { target: true }),
    },
    experts: said.experts ?? expertSets.flatMap((set) => set.experts),
    expertSets,
    modules,
    limits,
    warnings: [...encryptionWarnings(faults.address), ...warnings],
  };
}

const traceType = 'application/vnd.gander.trace';

const attribution = z.object({
  experts,
  logProb: z.array(logProbability.nullable()).max(traceLimits.tokens),
  change: z.array(z.array(z.number().nullable())).max(traceLimits.tokens),
});

/** No more than a text can have. */
const score = z.object({
  bits: z.number().min(0),
  bytes: z.int().min(0).max(serverLimits.run),
  tokens: z.int().min(0).max(traceLimits.tokens),
});

/** In tokens or experts, no more than there can be. */
const progress = z.object({ done: index.max(importLimits.experts), total: index.max(importLimits.experts) });

/** The options of every request. */
type Told = Pick<RunOptions, 'signal' | 'onProgress'>;

interface Reading extends Told {
  /** The most bytes of one frame. */
  readonly most: number;
  readonly progressed: () => void;
}

class GanderServe implements Server {
  /** @param strategies as the server calls them */
  constructor(
    readonly info: ServerInfo,
    private readonly strategies: readonly string[],
    private readonly reach: Reach,
  ) {}

  async route(request: RouteRequest, options: RunOptions): Promise<Trace> {
    const { text, target, maxTokens } = request;
    // An encoder-decoder that is to write its output: always the likeliest token, as in a run on this machine.
    if (target === undefined && maxTokens !== undefined) return this.generate({ ...request, maxTokens }, options);
    const trace = await this.#run('/v1/route', this.#asked(request), options);
    if (trace.sequences[0]!.text !== text) throw this.reach.http.faults.odd('its trace is of another text');
    return trace;
  }

  async generate(request: GenerateRequest, options: RunOptions): Promise<Trace> {
    const { text, maxTokens, temperature, topP, seed } = request;
    const asked = { ...this.#asked(request), maxTokens, temperature, topP, seed };
    const trace = await this.#run('/v1/generate', asked, options);
    if (!(trace.sequences[0]!.text ?? '').startsWith(text))
      throw this.reach.http.faults.odd('its trace is of another text');
    return trace;
  }

  async attribute(request: AttributeRequest, options: Told): Promise<Attribution> {
    const { layer, most } = request;
    const asked = { ...this.#asked(request), layer, most };
    return attributionOf(await this.#json('/v1/attribute', asked, options), this.reach.http.faults);
  }

  async score(request: RouteRequest, options: Told): Promise<Score> {
    const said = await this.#json('/v1/score', this.#asked(request), options);
    const { data, error } = score.safeParse(said);
    if (!data) throw this.reach.http.faults.odd(schemaProblem(error), error);
    return data;
  }

  /** The fields that every request has, with the names that the server uses. */
  #asked({ text, target, strategy, interventions }: RouteRequest) {
    const named = strategy && this.strategies.find((one) => presentStrategy(one) === strategy.name);
    return {
      text,
      target,
      strategy: strategy && { ...strategy, name: named ?? strategy.name },
      interventions: interventions?.map(writtenIntervention),
    };
  }

  /** Its answer in JSON, whole or in a frame; undefined if that is not JSON. */
  async #json(path: string, asked: Asked, options: Told): Promise<unknown> {
    const { http } = this.reach;
    const most = attributionBytes(asked, this.info);
    return this.#reading(path, asked, { whole: 'application/json', most, ...options }, async (answer, progressed) => {
      if (!answer.type.startsWith(framesType)) return jsonOf(await http.bytes(answer));
      for await (const { kind, body } of this.#frames(answer, { most, progressed, ...options }))
        if (kind === frameKinds.json) return jsonOf(body);
      throw http.faults.half();
    });
  }

  async #run(path: string, asked: Asked, options: RunOptions): Promise<Trace> {
    const { http } = this.reach;
    const most = traceBytes(asked, this.info);
    return this.#reading(path, asked, { whole: traceType, most, ...options }, async (answer, progressed) => {
      if (!answer.type.startsWith(framesType)) return this.#decode(await http.bytes(answer));
      const run = new FramedRun();
      for await (const { kind, body } of this.#frames(answer, { most, progressed, ...options })) {
        if (kind === frameKinds.final) return this.#join(run, body);
        if (kind === frameKinds.partial && options.onPartial) await options.onPartial(this.#join(run, body));
      }
      throw http.faults.half();
    });
  }

  /** In frames if the server can: their progress shows that it is still working. */
  #reading<T>(
    path: string,
    asked: Asked,
    { whole, most, signal }: Told & { readonly whole: string; readonly most: number },
    read: (answer: Answer, progressed: () => void) => Promise<T>,
  ): Promise<T> {
    const streams = this.info.can.stream === true;
    const accept = streams ? `${framesType}, ${whole}` : whole;
    // Each frame has a limit of its own, and a run that sends frames without progress is ended.
    return this.reach.http.reading(path, { signal, accept, most: streams ? Infinity : most }, asked, read);
  }

  /** Yields the frames with results, passes progress on, and throws an error that the server sends. */
  async *#frames({ body: bytes }: Answer, { most, progressed, onProgress }: Reading): AsyncGenerator<Frame> {
    const { faults } = this.reach.http;
    let furthest = -1;
    for await (const frame of framesOf(bytes, most, faults)) {
      switch (frame.kind) {
        case frameKinds.progress: {
          const { data } = progress.safeParse(jsonOf(frame.body));
          if (!data) throw faults.odd('it does not say how far it is');
          // The same number again is no sign of work.
          if (data.done > furthest) progressed();
          furthest = Math.max(furthest, data.done);
          onProgress?.(data.done, data.total);
          break;
        }
        case frameKinds.error:
          throw faults.told(jsonOf(frame.body));
        case frameKinds.partial:
        case frameKinds.final:
        case frameKinds.json:
          yield frame;
          break;
        default:
          throw faults.odd(`it has a frame of kind ${frame.kind}`);
      }
    }
  }

  #join(run: FramedRun, body: Uint8Array): Trace {
    const trace = run.join(this.#decode(body));
    if (trace) return trace;
    throw this.reach.http.faults.odd('its trace changes its form while it grows');
  }

  #decode(bytes: Uint8Array): Trace {
    const trace = this.#decoded(bytes);
    if (trace.sequences.some(({ logProb, topLogProb }) => [logProb, topLogProb].some((p) => p?.some((x) => x > 0))))
      throw this.reach.http.faults.odd('a log-probability is above 0');
    return trace;
  }

  #decoded(bytes: Uint8Array): Trace {
    try {
      // A copy: frames are parts of larger buffers, and the trace's arrays are views of its bytes.
      return decodeTrace(Uint8Array.from(bytes));
    } catch (thrown) {
      const { message, code } = GanderError.from(thrown);
      if (code !== 'trace-invalid' && code !== 'trace-newer') throw thrown;
      throw this.reach.http.faults.odd(`its trace cannot be read: ${message}`, thrown);
    }
  }
}

/** @throws GanderError `server-invalid` */
function attributionOf(said: unknown, faults: Faults): Attribution {
  const { data, error } = attribution.safeParse(said);
  if (!data) throw faults.odd(schemaProblem(error), error);
  const [T, N] = [data.logProb.length, data.experts.length];
  if (data.change.length !== T || data.change.some((row) => row.length !== N))
    throw faults.odd(`its changes are not for ${T} tokens and ${N} experts`);
  return {
    experts: data.experts,
    logProb: Float32Array.from(data.logProb, (x) => x ?? NaN),
    change: Float32Array.from(data.change.flat(), (x) => x ?? NaN),
  };
}

/** Traces of one run share the objects that do not change, so that those are sent on only once. */
class FramedRun {
  #first: Trace | undefined;

  /** @returns undefined if the trace has another form */
  join(trace: Trace): Trace | undefined {
    const first = (this.#first ??= trace);
    if (formOf(first) !== formOf(trace)) return undefined;
    const { source, router, interventions, expertSets, modules, created } = first;
    return { ...trace, source, router, interventions, expertSets, modules, created };
  }
}

function formOf({ router, sequences, expertSets, modules, blocks }: Trace): string {
  const columns = blocks.map(({ from, to, sequence, experts: N, k, sharedExperts }) => [
    from,
    to,
    sequence,
    N,
    k,
    sharedExperts,
  ]);
  const read = sequences.map(({ role, predictions }) => [role, predictions]);
  return JSON.stringify([router, read, expertSets, modules, columns]);
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
