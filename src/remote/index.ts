/** Models that servers run, as an engine: what is at an address is found by asking. */
import type {
  Attribution,
  AttributeRequest,
  Engine,
  EngineOptions,
  GenerateRequest,
  Lens,
  LensRequest,
  RouteRequest,
  RunOptions,
  Score,
  ServerInfo,
} from '../requests/api.js';
import { readModel } from '../import/model.js';
import { Unreadable } from '../import/unreadable.js';
import { GanderError } from '../errors/errors.js';
import { serverLimits } from '../checks/limits.js';
import { checkedAttribute, checkedGenerate, checkedLens, checkedRoute } from '../requests/checked.js';
import type { Trace } from '../trace/model/trace.js';
import { serverAddress } from '../source/serverAddress.js';
import { Http } from './http.js';
import { ganderServe } from './serve.js';
import type { Found, Server, ServerKind } from './server.js';
import { sglang } from './sglang.js';
import { vllm } from './vllm.js';

const kinds: readonly ServerKind[] = [ganderServe, sglang, vllm];

/** Asks nothing before it is asked. @throws GanderError `request-invalid` where the address is none */
export function remoteEngine({ pool, server = {} }: Pick<EngineOptions, 'pool' | 'server'>): Engine {
  return new RemoteEngine(serverAddress(pool), server);
}

type Asked = 'route' | 'generate' | 'attribute' | 'score' | 'lens';

class RemoteEngine implements Engine {
  readonly #http: Http;
  #server: Promise<Server> | undefined;

  constructor(
    address: string,
    private readonly access: NonNullable<EngineOptions['server']>,
  ) {
    this.#http = new Http({ address, ...access });
  }

  async info(): Promise<ServerInfo> {
    return (await this.#open()).info;
  }

  async route(asked: RouteRequest, options: RunOptions = {}): Promise<Trace> {
    const request = checkedRoute(asked);
    const server = await this.#ready('route', request);
    return server.route(request, options);
  }

  async generate(asked: GenerateRequest, options: RunOptions = {}): Promise<Trace> {
    const request = checkedGenerate(asked);
    const server = await this.#ready('generate', request);
    return server.generate(request, options);
  }

  async attribute(asked: AttributeRequest, options: RunOptions = {}): Promise<Attribution> {
    const request = checkedAttribute(asked);
    const server = await this.#ready('attribute', request);
    return server.attribute?.(request, options) ?? Promise.reject(unable(server.info, 'attribute'));
  }

  async score(asked: RouteRequest, options: RunOptions = {}): Promise<Score> {
    const request = checkedRoute(asked);
    const server = await this.#ready('score', request);
    return server.score?.(request, options) ?? Promise.reject(unable(server.info, 'score'));
  }

  async lens(asked: LensRequest): Promise<Lens> {
    const server = await this.#ready('lens', checkedLens(asked));
    throw unable(server.info, 'lens');
  }

  dispose(): void {
    this.#http.dispose();
  }

  /** The server, if it can do what is asked. @throws GanderError */
  async #ready(what: Asked, { text, interventions = [], tried }: RouteRequest): Promise<Server> {
    if (text.length === 0) throw new GanderError('text-empty', 'There is no text to route.', 'Select some text.');
    if (tried !== undefined)
      throw new GanderError(
        'request-invalid',
        'A server runs the experts that it has.',
        'Try the expert in a pool here.',
      );
    const server = await this.#open();
    if (server.info.can[what] !== true) throw unable(server.info, what);
    if (interventions.length > 0 && server.info.can.whatIf !== true) throw unable(server.info, 'whatIf');
    return server;
  }

  /** A failure is not remembered: the server may be started meanwhile. */
  #open(): Promise<Server> {
    if (this.#server) return this.#server;
    const opened = this.#find();
    this.#server = opened;
    opened.catch(() => (this.#server = undefined));
    return opened;
  }

  async #find(): Promise<Server> {
    const http = this.#http;
    const { config } = this.access;
    const model = config && modelOf(config);
    const asking = { most: serverLimits.facts };
    const found: Found = {
      info: await http.maybe('/v1/info', asking),
      models: await http.maybe('/v1/models', asking),
    };
    const kind = kinds.find((one) => one.claims(found));
    if (!kind) throw http.faults.unknown();
    return kind.open(found, { http, model });
  }
}

function modelOf(config: Uint8Array) {
  try {
    return readModel(config);
  } catch (thrown) {
    if (!(thrown instanceof Unreadable)) throw thrown;
    throw new GanderError('request-invalid', `It cannot be used: ${thrown.what}.`, thrown.remedy, { cause: thrown });
  }
}

function unable({ name, can, engine }: ServerInfo, what: Asked | 'whatIf') {
  const ability = can[what];
  const reason = ability === true ? `${name} cannot do this.` : ability.reason;
  // No server has the lens, and what gander-serve does not do no other does.
  const isHereAlone = what === 'lens' || engine === 'gander-serve';
  return new GanderError(
    'request-invalid',
    reason,
    `Use a model on this machine${isHereAlone ? '' : ', or gander-serve'}.`,
  );
}
