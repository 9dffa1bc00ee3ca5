/**
 * Requests to one server, which is not trusted: redirects are not followed, bytes are counted as they arrive, a request without
 * progress is ended, and every failure is a typed error. Uses Node's own client, because `fetch` has time limits of its own.
 */
import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import { GanderError } from '../errors/errors.js';
import { serverLimits } from '../checks/limits.js';
import { type Failure, failureOf, Faults, isAbsent } from './faults.js';

export interface Asking {
  readonly signal?: AbortSignal | undefined;
  /** The most bytes that are read of the answer. */
  readonly most: number;
  /** The most members of all objects in a JSON answer: each takes far more memory than its bytes. */
  readonly members?: number;
  readonly accept?: string;
  /** The server may keep the path closed (403); then it counts as absent. */
  readonly spare?: true;
}

/** An answer with a status of 2xx, whose body has not been read yet. */
export interface Answer {
  readonly type: string;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface HttpOptions {
  readonly address: string;
  readonly token?: string | undefined;
  /**
   * How many milliseconds to wait for an answer to begin and then for the rest of it or, if it reports progress, for each step;
   * 0: for ever.
   */
  readonly patienceMs?: number | undefined;
}

/** How long to wait before each new attempt, if a busy server does not say. Milliseconds. */
const waits = [500, 1000, 2000, 4000];

/** The longest time of a timer. Milliseconds. */
const longest = 2 ** 31 - 1;

/** The longest wait at a server's request. Milliseconds. */
const longestWait = 30_000;

export class Http {
  readonly faults: Faults;
  readonly #options: HttpOptions;
  readonly #patience: number;
  readonly #agent: HttpAgent | HttpsAgent;

  constructor(options: HttpOptions) {
    this.#options = options;
    this.#patience = options.patienceMs === 0 ? longest : Math.min(options.patienceMs ?? 120_000, longest);
    this.faults = new Faults(options.address, options.token, this.#patience);
    const Agent = options.address.startsWith('https:') ? HttpsAgent : HttpAgent;
    this.#agent = new Agent({ maxSockets: serverLimits.atOnce });
  }

  /** Requests JSON; undefined if the server has nothing under the path. */
  maybe(path: string, asking: Asking, body?: object): Promise<unknown> {
    return this.#timed(asking, async (timed) => {
      const answer = await this.#ask(path, timed, body);
      return 'status' in answer ? undefined : this.#json(answer, timed);
    });
  }

  /** Requests JSON. */
  json(path: string, asking: Asking, body?: object): Promise<unknown> {
    return this.#timed(asking, async (timed) => this.#json(await this.#open(path, timed, body), timed));
  }

  /**
   * Resolves with what `read` makes of the answer, which it may read as it arrives.
   * @param read calls `progressed` only for real steps of the work: an idle server could send bytes for ever
   */
  reading<T>(
    path: string,
    asking: Asking,
    body: object,
    read: (answer: Answer, progressed: () => void) => Promise<T>,
  ): Promise<T> {
    return this.#timed(asking, async (timed) =>
      read(await this.#open(path, timed, body), () => timed.patience.restart()),
    );
  }

  /** The whole body. */
  async bytes({ body }: Answer): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for await (const part of body) parts.push(part);
    return Buffer.concat(parts);
  }

  dispose(): void {
    this.#agent.destroy();
  }

  /** Runs a request, from sending it to reading its answer, within the time that the person allows. */
  async #timed<T>(asking: Asking, read: (timed: Timed) => Promise<T>): Promise<T> {
    const patience = new Patience(this.#patience);
    const signals = asking.signal ? [asking.signal, patience.signal] : [patience.signal];
    try {
      return await read({ ...asking, patience, either: AbortSignal.any(signals) });
    } finally {
      patience.pause();
    }
  }

  /** Why a request was ended: the caller cancelled it, or the server took too long. */
  #gaveUp({ signal }: Timed): GanderError {
    return signal?.aborted ? this.faults.cancelled() : this.faults.slow();
  }

  async #json(answer: Answer, { members = Infinity }: Timed): Promise<unknown> {
    const bytes = await this.bytes(answer);
    if (/^\s*</.test(new TextDecoder().decode(bytes.subarray(0, 64)))) throw this.faults.page();
    if (countOf(bytes, colon) > members) throw this.faults.odd('it holds far more than was asked for');
    try {
      return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
    } catch (cause) {
      throw this.faults.odd('it is no JSON', cause);
    }
  }

  async #open(path: string, timed: Timed, body?: object): Promise<Answer> {
    const answer = await this.#ask(path, timed, body);
    if ('status' in answer) throw this.faults.refused(answer);
    return answer;
  }

  /** The answer, or the failure if the server has nothing under the path. Tries again while the server is busy. */
  async #ask(path: string, timed: Timed, body?: object): Promise<Answer | Failure> {
    const { patience } = timed;
    for (let attempt = 0; ; attempt++) {
      const message = await this.#send(path, timed, body);
      // The answer has begun; from here the wait is for the rest of it.
      patience.restart();
      const status = message.statusCode ?? 0;
      if (status >= 200 && status < 300) return this.#answer(message, timed);
      if (status >= 300 && status < 400) {
        message.destroy();
        throw this.faults.elsewhere(message.headers.location);
      }
      const failure = await failureOf(message, this.#parts(message, serverLimits.failure, timed), this.faults);
      if (isAbsent(failure) || (timed.spare && status === 403)) return failure;
      const wait = waits[attempt];
      if ((status !== 429 && status !== 503) || wait === undefined || patience.isOut)
        throw this.faults.refused(failure);
      patience.pause();
      await this.#wait(Math.min(failure.retryAfterMs ?? wait, longestWait), timed.signal);
    }
  }

  async #wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    await pause(ms, undefined, signal && { signal }).catch(() => {
      throw this.faults.cancelled();
    });
  }

  #send(path: string, timed: Timed, body?: object): Promise<IncomingMessage> {
    const { patience, either: signal, accept = 'application/json' } = timed;
    const { address, token } = this.#options;
    const content = body && JSON.stringify(body);
    const send = address.startsWith('https:') ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      let request: ClientRequest;
      try {
        request = send(`${address}${path}`, {
          agent: this.#agent,
          method: content === undefined ? 'GET' : 'POST',
          headers: {
            accept,
            'user-agent': 'gander',
            ...(token !== undefined && { authorization: `Bearer ${token}` }),
            ...(content !== undefined && {
              'content-type': 'application/json',
              'content-length': Buffer.byteLength(content),
            }),
          },
        });
      } catch (cause) {
        // Without Node's own message, which may contain the token.
        reject(this.faults.unsendable(cause));
        return;
      }
      let fault: Error | undefined;
      const end = (why: Error) => {
        fault ??= why;
        request.destroy(why);
      };
      const cancel = () => end(this.#gaveUp(timed));
      // Only from here: before, it waits for our other requests.
      request.once('socket', () => patience.restart());
      signal.addEventListener('abort', cancel, { once: true });
      const done = () => signal.removeEventListener('abort', cancel);
      request.once('response', (message) => {
        done();
        resolve(message);
      });
      request.on('error', (cause) => {
        done();
        reject(fault ?? this.faults.unreachable(cause));
      });
      // Node closes a connection that switches to another protocol (101), without an error.
      request.once('close', () => {
        done();
        reject(fault ?? this.faults.half());
      });
      if (signal.aborted) cancel();
      request.end(content);
    });
  }

  #answer(message: IncomingMessage, timed: Timed): Answer {
    const { most } = timed;
    const length = Number(message.headers['content-length'] ?? 0);
    if (length > most) {
      message.destroy();
      throw this.faults.large(most);
    }
    const type = message.headers['content-type'] ?? '';
    if (/^text\/html\b/i.test(type)) {
      message.destroy();
      throw this.faults.page();
    }
    return { type, body: this.#parts(message, most, timed) };
  }

  async *#parts(message: IncomingMessage, most: number, timed: Timed): AsyncGenerator<Uint8Array> {
    const { either: signal } = timed;
    let bytes = 0;
    const cancel = () => message.destroy();
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) cancel();
    try {
      for await (const part of message as AsyncIterable<Uint8Array>) {
        bytes += part.byteLength;
        if (bytes > most) throw this.faults.large(most);
        yield part;
      }
      if (!message.complete) throw this.faults.half();
    } catch (thrown) {
      if (signal.aborted) throw this.#gaveUp(timed);
      throw thrown instanceof GanderError ? thrown : this.faults.half(thrown);
    } finally {
      signal.removeEventListener('abort', cancel);
      message.destroy();
    }
  }
}

/** A request, and the time that it has. */
interface Timed extends Asking {
  readonly patience: Patience;
  /** Aborted by the caller, or when the time is up. */
  readonly either: AbortSignal;
}

/** Aborts its signal if it is not restarted in time. */
class Patience {
  readonly #out = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly ms: number) {}

  get signal(): AbortSignal {
    return this.#out.signal;
  }

  get isOut(): boolean {
    return this.#out.signal.aborted;
  }

  restart(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#out.abort(), this.ms);
  }

  /** Until the next `restart`. */
  pause(): void {
    clearTimeout(this.#timer);
  }
}

const colon = 0x3a;

function countOf(bytes: Uint8Array, wanted: number): number {
  let count = 0;
  for (let at = bytes.indexOf(wanted); at >= 0; at = bytes.indexOf(wanted, at + 1)) count++;
  return count;
}
