/** What each kind of server provides. Each has its own file; `index.ts` lists them. */
import type { ServerInfo } from '../requests/api.js';
import type { Handlers } from '../requests/ask.js';
import type { Model } from '../import/model.js';
import { isObject } from '../checks/plain.js';
import type { Http } from './http.js';

export interface ServerKind {
  /** Whether the answers come from this kind of server. */
  claims(found: Found): boolean;
  open(found: Found, reach: Reach): Promise<Server>;
}

/** What an address answered. */
export interface Found {
  /** To `/v1/info`, which gander-serve has. */
  readonly info: unknown;
  /** To `/v1/models`, which every server with OpenAI's API has. */
  readonly models: unknown;
}

/** How to reach a server, and what the person says about its model. */
export interface Reach {
  readonly http: Http;
  readonly model: Model | undefined;
}

/** A connected server. It is asked only for what it can do by its own description. */
export interface Server extends Omit<Handlers, 'info'> {
  readonly info: ServerInfo;
}

/** The first model that an OpenAI server offers. */
export interface Card {
  readonly id: string;
  readonly owner: string | undefined;
  /** Context length. */
  readonly tokens: number | undefined;
}

export function cardOf({ models }: Found): Card | undefined {
  const data = isObject(models) ? models['data'] : undefined;
  const first: unknown = Array.isArray(data) ? data[0] : undefined;
  if (!isObject(first) || typeof first['id'] !== 'string') return undefined;
  const {
    id,
    owned_by: owner,
    max_model_len: tokens,
  } = first as { id: string; owned_by?: unknown; max_model_len?: unknown };
  return {
    id,
    owner: typeof owner === 'string' ? owner : undefined,
    tokens: Number.isSafeInteger(tokens) && (tokens as number) > 0 ? (tokens as number) : undefined,
  };
}
