/** What can go wrong with a server, each as an error with a remedy. The server's own words are shortened, and shown as plain text. */
import type { IncomingMessage } from 'node:http';
import type { ServerInfo } from '../requests/api.js';
import { bytesInWords } from '../formats/bytes.js';
import { type ErrorCode, GanderError } from '../errors/errors.js';
import { serverLimits } from '../checks/limits.js';
import { isObject } from '../checks/plain.js';
import { plain } from '../trace/text/label.js';

/** Why a server gave no result, as far as it says. */
export interface Failure {
  readonly status: number;
  readonly words: string;
  readonly code?: string;
  readonly remedy?: string;
  readonly retryAfterMs?: number;
}

/** Whether the server has nothing under the path, or does not support the request. */
export function isAbsent({ status }: Failure): boolean {
  return status === 404 || status === 405 || status === 501;
}

/** Reads the explanation that gander-serve, vLLM or SGLang sends. */
export async function failureOf(
  message: IncomingMessage,
  body: AsyncIterable<Uint8Array>,
  faults: Faults,
): Promise<Failure> {
  const after = message.headers['retry-after'];
  const status = message.statusCode ?? 0;
  let said: unknown;
  try {
    const parts: Uint8Array[] = [];
    for await (const part of body) parts.push(part);
    said = JSON.parse(Buffer.concat(parts).toString());
  } catch (thrown) {
    if (thrown instanceof GanderError && thrown.code === 'cancelled') throw thrown;
    // The status says that it failed; the body may not say why, or not in JSON.
  }
  return {
    ...faults.explained(said, status),
    ...(after !== undefined && /^\d{1,6}$/.test(after) && { retryAfterMs: 1000 * Number(after) }),
  };
}

/** Replaces the token in messages. */
const hidden = '[token]';

/** Error codes that gander-serve shares with the engine. */
const shared: readonly string[] = ['text-empty', 'text-too-long', 'request-invalid', 'strategy-unavailable'];

/** How vLLM and SGLang say that a text is too long for the model. */
const tooLong = /context length|maximum length|max_model_len|longer than the model|too long/i;

export class Faults {
  constructor(
    readonly address: string,
    private readonly token: string | undefined,
    private readonly patienceMs: number,
  ) {}

  explained(said: unknown, status: number): Failure {
    const whole = isObject(said) ? said : {};
    const error = isObject(whole['error']) ? whole['error'] : whole;
    const text = (value: unknown) => (typeof value === 'string' ? this.#short(value) : undefined);
    const [code, remedy] = [text(error['code']), text(error['remedy'])];
    return {
      status,
      words: text(error['message']) ?? text(whole['detail']) ?? text(whole['error']) ?? `status ${status}`,
      ...(code !== undefined && { code }),
      ...(remedy !== undefined && { remedy }),
    };
  }

  /** A server's words without the token, which it may quote. */
  withoutToken(words: string): string {
    const { token } = this;
    if (token === undefined || token === '') return words;
    return words.replaceAll(token, hidden).replaceAll(encodeURIComponent(token), hidden);
  }

  /** Removes the token from the server's name, versions and warnings. */
  described(info: ServerInfo): ServerInfo {
    return {
      ...info,
      name: this.withoutToken(info.name),
      versions: Object.fromEntries(
        Object.entries(info.versions).map((pair) => pair.map((words) => this.withoutToken(words))),
      ) as Readonly<Record<string, string>>,
      warnings: info.warnings.map((warning) => ({ ...warning, text: this.withoutToken(warning.text) })),
    };
  }

  /** Removes the token before cutting, because half a token is still a secret. */
  #short(words: string): string {
    const { words: most } = serverLimits;
    const said = this.withoutToken(words);
    return plain(said.length > most ? `${said.slice(0, most)}…` : said).trim();
  }

  cancelled(): GanderError {
    return new GanderError('cancelled', 'Cancelled.', 'Ask again when you like.');
  }

  unreachable(cause: Error): GanderError {
    const { code } = cause as NodeJS.ErrnoException;
    return this.#error('server-unreachable', `cannot be reached: ${code ?? this.#short(cause.message)}`, {
      remedy: 'Check that it is running and that the address is right.',
      cause,
    });
  }

  slow(): GanderError {
    return this.#error('server-unreachable', `gave no answer in ${this.patienceMs / 1000} seconds`, {
      remedy:
        'Allow it more time (the setting gander.engine.deadlineSeconds, or --deadline on the command line), or route less.',
    });
  }

  half(cause?: unknown): GanderError {
    return this.#error('server-unreachable', 'broke off in the middle of its answer', {
      remedy: 'Check that it is still running, and try again.',
      cause,
    });
  }

  large(most: number): GanderError {
    return this.#error('server-invalid', `answers with more than ${bytesInWords(most)}`, {
      remedy: 'Route a shorter text.',
    });
  }

  page(): GanderError {
    return this.#error('server-unknown', 'answers with a web page', {
      remedy: 'Give the address of the engine itself: vLLM, SGLang or gander-serve.',
    });
  }

  unknown(): GanderError {
    return this.#error('server-unknown', 'is not an engine that Gander supports', {
      remedy: 'Give the address of vLLM, SGLang or gander-serve.',
    });
  }

  elsewhere(location: string | undefined): GanderError {
    const to = location === undefined ? 'elsewhere' : this.#short(location);
    return this.#error('server-invalid', `sends requests on to ${to}; nothing was sent there`, {
      remedy: 'Connect to that address itself, if you trust it.',
    });
  }

  /** @param what is wrong with the answer, as a clause */
  odd(what: string, cause?: unknown, remedy = 'Check whether docs/engines.md lists its version.') {
    return this.#error('server-invalid', `gave an answer that cannot be used: ${what}`, { remedy, cause });
  }

  long(tokens: number, most: number): GanderError {
    return new GanderError(
      'text-too-long',
      `The text has ${tokens} tokens; ${this.address} takes at most ${most}.`,
      'Select a part of it.',
    );
  }

  /** It runs, but does not return the chosen experts. @param remedy how to start it so that it does */
  unrouted(remedy: string): GanderError {
    return this.#error('server-unrouted', 'does not say which experts it used', { remedy });
  }

  /** An error that gander-serve sends within an answer. */
  told(said: unknown): GanderError {
    const failure = this.explained(said, 500);
    return this.refused({ ...failure, status: shared.includes(failure.code ?? '') ? 400 : 500 });
  }

  unsendable(cause: unknown): GanderError {
    const { name } = cause instanceof Error ? cause : {};
    return this.#error('server-refused', `was not contacted: the token or the address cannot be sent (${name ?? ''})`, {
      remedy: 'Enter the token again, without line breaks.',
    });
  }

  refused({ status, words, code, remedy }: Failure): GanderError {
    const give = 'Gander: Connect to Engine… asks for it; the command line reads GANDER_ENGINE_TOKEN.';
    if (status === 401 || status === 403)
      return this.token !== undefined
        ? this.#error('server-refused', 'refuses the token', { remedy: `Give it the right one. ${give}` })
        : this.#error('server-refused', 'asks for a token', { remedy: `Give it one. ${give}` });
    if (status === 429 || status === 503)
      return this.#error('server-busy', `is busy: ${words}`, { remedy: 'Ask again later.' });
    if (status === 413 || code === 'text-too-long' || (status < 500 && tooLong.test(words)))
      return this.#error('text-too-long', `does not take a text this long: ${words}`, {
        remedy: 'Select a part of it.',
      });
    if (status < 500)
      return this.#error(
        code !== undefined && shared.includes(code) ? (code as ErrorCode) : 'request-invalid',
        `refuses the request: ${words}`,
        { remedy: remedy ?? 'Change the request.' },
      );
    return this.#error('server-failed', `failed: ${words}`, { remedy: 'Its own log says why.' });
  }

  #error(code: ErrorCode, what: string, { remedy, cause }: { readonly remedy: string; readonly cause?: unknown }) {
    const end = /[.…!?]$/.test(what) ? '' : '.';
    return new GanderError(
      code,
      `${this.address} ${this.withoutToken(what)}${end}`,
      this.withoutToken(remedy),
      cause === undefined ? {} : { cause },
    );
  }
}
