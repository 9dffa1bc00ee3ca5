/** Where an expert is to come from, as a person types it. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { GanderError } from '../errors/errors.js';
import { hashInName } from './files.js';

export type Address =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'url'; readonly url: string }
  | HubAddress;

export interface HubAddress {
  readonly kind: 'hub';
  /** OWNER/NAME. */
  readonly name: string;
  readonly revision: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** A variable that is set to nothing is not set. */
export const valueIn = (env: Environment, name: string): string | undefined =>
  env[name]?.trim() === '' ? undefined : env[name]?.trim();

/** The hub's address, without a slash at the end. */
export const endpointIn = (env: Environment): string =>
  (valueIn(env, 'HF_ENDPOINT') ?? 'https://huggingface.co').replace(/\/+$/, '');

const hubName = /^[\w][\w.-]{0,95}\/[\w][\w.-]{0,95}$/;

/**
 * @param endpoint of the hub: addresses of its pages are understood, too
 * @param isFolder whether a path is a folder
 * @throws GanderError `request-invalid`
 */
export function readAddress(typed: string, endpoint: string, isFolder: (path: string) => boolean): Address {
  if (/^hf:/i.test(typed)) return hubAddress(typed.slice('hf:'.length));
  if (/^https?:\/\//i.test(typed)) {
    const page = typed.startsWith(`${endpoint}/`) ? typed.slice(endpoint.length + 1) : '';
    const [, name, revision] = /^([^/?#]+\/[^/?#]+)(?:\/tree\/([^?#]+))?\/?$/.exec(page) ?? [];
    return name === undefined ? webAddress(typed) : hubAddress(name + (revision === undefined ? '' : `@${revision}`));
  }
  const found = path.resolve(typed);
  if (existsSync(found)) return { kind: isFolder(found) ? 'folder' : 'file', path: found };
  throw new GanderError(
    'source-missing',
    `There is no file or folder ${typed}.`,
    hubName.test(typed.split('@')[0]!) ? `If it is on the Hugging Face Hub: hf:${typed}` : 'Check the path.',
  );
}

/** @param text OWNER/NAME[@REVISION] @throws GanderError `request-invalid` */
export function hubAddress(text: string): HubAddress {
  const [, name = '', revision = 'main'] = /^([^@]*)(?:@(.+))?$/.exec(text.trim()) ?? [];
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (hubName.test(name) && !name.includes('..') && revision.length <= 200 && !/[\s\u0000-\u001f]/.test(revision))
    return { kind: 'hub', name, revision };
  throw new GanderError(
    'request-invalid',
    `"${text.slice(0, 120)}" names no repository of a hub.`,
    'Write OWNER/NAME or OWNER/NAME@REVISION.',
  );
}

/** Without encryption, only the hash in its name can say that a file is the right one. */
function webAddress(typed: string): Address {
  let url: URL;
  try {
    url = new URL(typed);
  } catch {
    throw new GanderError('request-invalid', `"${typed.slice(0, 120)}" is not an address.`, 'Check the address.');
  }
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url.protocol === 'https:' || isHere || hashInName(url.pathname)) return { kind: 'url', url: url.href };
  throw new GanderError(
    'request-invalid',
    `${url.host} would be asked without encryption, so anyone on the way could change the expert.`,
    'Use https, or an address that ends in the packed file’s own name, which has its hash.',
  );
}
