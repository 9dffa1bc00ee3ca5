import { GanderError } from '../errors/errors.js';
import type { Warning } from '../requests/description.js';

/**
 * A server's address in the one form in which it is remembered and compared: no slash at the end, and without the `/v1`
 * that OpenAI clients are given.
 * @throws GanderError `request-invalid`
 */
export function serverAddress(typed: string): string {
  const given = typed.trim();
  let url: URL;
  try {
    url = new URL(given.includes('://') ? given : `http://${given}`);
  } catch (cause) {
    throw odd(given, 'it is not a URL', cause);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw odd(given, 'it begins with neither http nor https');
  if (url.username || url.password) throw odd(given, 'a name or a password does not belong there');
  if (url.search || url.hash) throw odd(given, 'a query or a fragment does not belong there');
  return `${url.origin}${url.pathname.replace(/\/+$/, '').replace(/\/v1$/, '')}`;
}

/** Tells an address from a folder in what a person chose to run. */
export function isServerAddress(chosen: string): boolean {
  return /^https?:\/\//i.test(chosen);
}

/** Whether what is sent there stays on this machine. */
function isLoopback(address: string): boolean {
  const { hostname } = new URL(address);
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** Whether others on the network can read what is sent there. */
export function isOpenToReaders(address: string): boolean {
  return !address.startsWith('https:') && !isLoopback(address);
}

/** What a person should know before anything is sent there. */
export function encryptionWarnings(address: string): Warning[] {
  if (!isOpenToReaders(address)) return [];
  const text = `Text, and the token if there is one, go to ${address} without encryption: others on the network can read them.`;
  return [{ code: 'not-encrypted', text }];
}

function odd(given: string, why: string, cause?: unknown): GanderError {
  // Not what was typed: there may be a password in it.
  const what = given.includes('@') ? 'This' : `"${given.slice(0, 200)}"`;
  return new GanderError(
    'request-invalid',
    `${what} is not a server's address: ${why}.`,
    'Give an address like http://127.0.0.1:8000; a token is asked for separately.',
    { cause },
  );
}
