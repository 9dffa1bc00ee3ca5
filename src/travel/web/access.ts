/** How this machine reaches the web, and the hub: by the variables that the hub's own tools go by. */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { EnvHttpProxyAgent, fetch as proxied } from 'undici';
import { GanderError } from '../../errors/errors.js';
import { type Environment, endpointIn, valueIn } from '../address.js';

export interface Hub {
  /** Without a slash at the end. */
  readonly endpoint: string;
  readonly token?: string;
  /** Sends the token to the endpoint, and to nobody else. */
  readonly fetch: typeof fetch;
}

const isSet = (env: Environment, name: string): boolean => /^(1|on|yes|true)$/i.test(env[name] ?? '');

/** Goes by proxy where HTTP_PROXY or HTTPS_PROXY says so, which Node 20 does not by itself; NO_PROXY is heeded. */
export function fetchBy(env: Environment): typeof fetch {
  const set = (name: string) => valueIn(env, name) ?? valueIn(env, name.toUpperCase());
  const [httpProxy, httpsProxy, noProxy] = [set('http_proxy'), set('https_proxy'), set('no_proxy')];
  if (httpProxy === undefined && httpsProxy === undefined) return fetch;
  const dispatcher = new EnvHttpProxyAgent({
    ...(httpProxy !== undefined && { httpProxy }),
    ...(httpsProxy !== undefined && { httpsProxy }),
    ...(noProxy !== undefined && { noProxy }),
  });
  return ((input: string, init: object) => proxied(input, { ...init, dispatcher })) as unknown as typeof fetch;
}

/** @param fetched reaches the web @throws GanderError `request-invalid` if the variables say not to */
export function hubBy(env: Environment, fetched: typeof fetch): Hub {
  if (isSet(env, 'HF_HUB_OFFLINE'))
    throw new GanderError('request-invalid', 'HF_HUB_OFFLINE is set, so no hub is asked.', 'Unset it.');
  const endpoint = endpointIn(env);
  if (!URL.canParse(endpoint))
    throw new GanderError('request-invalid', `HF_ENDPOINT is ${endpoint}, which is no address.`, 'Set it right.');
  const { origin } = new URL(endpoint);
  const token = tokenIn(env);
  return {
    endpoint,
    ...(token !== undefined && { token }),
    // On a redirect to another origin, fetch leaves this header out.
    fetch: (input, init) => {
      const headers = new Headers(init?.headers);
      const url = new URL(input instanceof Request ? input.url : input);
      if (token !== undefined && url.origin === origin) headers.set('Authorization', `Bearer ${token}`);
      return fetched(url.href, { ...init, headers: Object.fromEntries(headers) });
    },
  };
}

/** HF_TOKEN, or what `hf auth login` has saved. */
function tokenIn(env: Environment): string | undefined {
  const given = valueIn(env, 'HF_TOKEN');
  if (given !== undefined || isSet(env, 'HF_HUB_DISABLE_IMPLICIT_TOKEN')) return given;
  const caches = valueIn(env, 'XDG_CACHE_HOME') ?? path.join(homedir(), '.cache');
  const home = valueIn(env, 'HF_HOME') ?? path.join(caches, 'huggingface');
  try {
    const saved = readFileSync(valueIn(env, 'HF_TOKEN_PATH') ?? path.join(home, 'token'), 'utf8').trim();
    return saved === '' ? undefined : saved;
  } catch {
    return undefined;
  }
}
