/** What a kind of server is. One file a kind; `index.ts` lists them. */
import type { ServerInfo } from '../requests/api.js';
import type { Handlers } from '../requests/ask.js';
import type { Model } from '../import/model.js';
import { isObject } from '../checks/plain.js';
import type { Http } from './http.js';

export interface ServerKind {
  /** Whether what answers is of this kind. */
  claims(found: Found): boolean;
  open(found: Found, reach: Reach): Promise<Server>;
}

/** What was found at an address. */
export interface Found {
  /** Of `/v1/info`, which gander-serve has. */
  readonly info: unknown;
  /** Of `/v1/models`, which all that speak as OpenAI do have. */
  readonly models: unknown;
}

/** How a server is reached, and what the person says of it. */
export interface Reach {
  readonly http: Http;
  readonly model: Model | undefined;
}

/** A server that is there. What it cannot do, by its own description, is not asked of it. */
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
