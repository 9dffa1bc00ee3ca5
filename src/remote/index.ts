/** An engine whose model runs on a server; asks the address which kind of server it is. */
import type { EngineOptions, RouteRequest, ServerInfo } from '../requests/api.js';
import { answerOf, Askable, type Engine, type OptionsOf, type RequestOf, type ResultOf } from '../requests/ask.js';
import { type Abilities, unable } from '../requests/description.js';
import { checkedRequest } from '../requests/schemas.js';
import type { RequestName } from '../requests/table.js';
import { readModel } from '../import/model.js';
import { Unreadable } from '../import/unreadable.js';
import { GanderError } from '../errors/errors.js';
import { serverLimits } from '../checks/limits.js';
import { serverAddress } from '../source/serverAddress.js';
import { Http } from './http.js';
import { ganderServe } from './serve.js';
import type { Found, Server, ServerKind } from './server.js';
import { sglang } from './sglang.js';
import { vllm } from './vllm.js';

const kinds: readonly ServerKind[] = [ganderServe, sglang, vllm];

/** Contacts the server with the first request. @throws GanderError `request-invalid` if the address is invalid */
export function remoteEngine({ pool, server = {} }: Pick<EngineOptions, 'pool' | 'server'>): Engine {
  return new RemoteEngine(serverAddress(pool), server);
}

class RemoteEngine extends Askable implements Engine {
  readonly #http: Http;
  #server: Promise<Server> | undefined;

  constructor(
    address: string,
    private readonly access: NonNullable<EngineOptions['server']>,
  ) {
    super();
    this.#http = new Http({ address, ...access });
  }

  async ask<N extends RequestName>(name: N, asked: RequestOf<N>, options: OptionsOf<N> = {}): Promise<ResultOf<N>> {
    const request = checkedRequest(name, asked);
    const { text, tried, interventions = [] }: Partial<RouteRequest> = typeof request === 'object' ? request : {};
    if (text?.length === 0) throw new GanderError('text-empty', 'There is no text to route.', 'Select some text.');
    if (tried !== undefined)
      throw new GanderError(
        'request-invalid',
        'A server runs only its own experts.',
        'Try the expert in a pool on this machine.',
      );
    const server = await this.#open();
    if (name === 'info') return server.info;
    const needs: readonly (keyof Abilities)[] = [name, ...(interventions.length > 0 ? (['whatIf'] as const) : [])];
    const lacking = needs.find((one) => server.info.can[one] !== true);
    if (lacking) throw refused(server.info, name, lacking);
    const handlers: Omit<Server, 'info'> = server;
    const answer = answerOf(handlers, name, request, options);
    return answer ?? Promise.reject(refused(server.info, name, name));
  }

  dispose(): void {
    this.#http.dispose();
  }

  /** A failure is not remembered, because the server may be started later. */
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
    throw new GanderError('request-invalid', `The server cannot be used: ${thrown.what}.`, thrown.remedy, {
      cause: thrown,
    });
  }
}

/** @param lacking the missing ability */
function refused({ can, engine }: ServerInfo, name: RequestName, lacking: keyof Abilities): GanderError {
  const { code, message, remedy } = unable(name, can[lacking]);
  // What gander-serve cannot do, no other server can.
  return new GanderError(code, message, engine === 'gander-serve' ? 'Use a model on this machine.' : remedy);
}
