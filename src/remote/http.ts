/**
 * Requests to one server, which is not trusted: no redirect is followed, bytes are counted as they come, silence ends a
 * request, and whatever goes wrong is one typed error. Node's own client, for `fetch` waits no longer than its own limits.
 */
import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import { GanderError } from '../shared/errors.js';
import { serverLimits } from '../shared/limits.js';
import { type Failure, failureOf, Faults, isAbsent } from './faults.js';

export interface Asking {
  readonly signal?: AbortSignal | undefined;
  /** Bytes that are taken of the answer. */
  readonly most: number;
  readonly accept?: string;
  /** It may be closed to all (403), and is then as good as not there. */
  readonly spare?: true;
}

/** An answer of status 2xx, its body not read yet. */
export interface Answer {
  readonly type: string;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface HttpOptions {
  readonly address: string;
  readonly token?: string | undefined;
  /** Milliseconds of silence: until an answer begins, and between two parts of one that is told as it comes; 0: for ever. */
  readonly patienceMs?: number | undefined;
}

/** Waits before a server that was busy is asked again, where it does not say how long. Milliseconds. */
const waits = [500, 1000, 2000, 4000];

/** The longest that a timer waits. Milliseconds. */
const longest = 2 ** 31 - 1;

/** The longest that is waited because a server says so. Milliseconds. */
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

  /** JSON; undefined where the server has nothing under that path. */
  maybe(path: string, asking: Asking, body?: object): Promise<unknown> {
    return this.#whole(asking, async (hurried, begun) => {
      const answer = await this.#ask(path, hurried, body);
      if ('status' in answer) return undefined;
      begun();
      return this.#json(answer);
    });
  }

  /** JSON. */
  json(path: string, asking: Asking, body?: object): Promise<unknown> {
    return this.#whole(asking, async (hurried, begun) => {
      const answer = await this.open(path, hurried, body);
      begun();
      return this.#json(answer);
    });
  }

  /** The answer, to be read as it comes. */
  async open(path: string, asking: Asking, body?: object): Promise<Answer> {
    const answer = await this.#ask(path, asking, body);
    if ('status' in answer) throw this.faults.refused(answer);
    return answer;
  }

  /** A whole body, of no more than so many bytes. */
  async bytes({ body }: Answer, most = Infinity): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of body) {
      bytes += part.byteLength;
      if (bytes > most) throw this.faults.large(most);
      parts.push(part);
    }
    return Buffer.concat(parts);
  }

  dispose(): void {
    this.#agent.destroy();
  }

  /** Once an answer has begun, all of it has to be there in a while: a byte now and then is no sign of life. */
  async #whole<T>(asking: Asking, read: (hurried: Asking, begun: () => void) => Promise<T>): Promise<T> {
    const hurry = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const { signal } = asking;
    const hurried = { ...asking, signal: signal ? AbortSignal.any([signal, hurry.signal]) : hurry.signal };
    try {
      return await read(hurried, () => (timer = setTimeout(() => hurry.abort(), this.#patience)));
    } catch (thrown) {
      throw hurry.signal.aborted && !signal?.aborted ? this.faults.slow() : thrown;
    } finally {
      clearTimeout(timer);
    }
  }

  async #json(answer: Answer): Promise<unknown> {
    const bytes = await this.bytes(answer);
    try {
      return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown;
    } catch (cause) {
      throw /^\s*</.test(new TextDecoder().decode(bytes.subarray(0, 64)))
        ? this.faults.page()
        : this.faults.odd('it is no JSON', cause);
    }
  }

  /** An answer, or what the server says instead where it has nothing under the path. Asks again where it is busy. */
  async #ask(path: string, asking: Asking, body?: object): Promise<Answer | Failure> {
    for (let attempt = 0; ; attempt++) {
      const message = await this.#send(path, asking, body);
      const status = message.statusCode ?? 0;
      if (status >= 200 && status < 300) return this.#answer(message, asking);
      const failure = await failureOf(message, this.#parts(message, serverLimits.failure, asking.signal));
      if (status >= 300 && status < 400) throw this.faults.elsewhere(message.headers.location);
      if (isAbsent(failure) || (asking.spare && status === 403)) return failure;
      const wait = waits[attempt];
      if ((status !== 429 && status !== 503) || wait === undefined) throw this.faults.refused(failure);
      await this.#wait(Math.min(failure.retryAfterMs ?? wait, longestWait), asking.signal);
    }
  }

  async #wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    await pause(ms, undefined, signal && { signal }).catch(() => {
      throw this.faults.cancelled();
    });
  }

  #send(path: string, { signal, accept = 'application/json' }: Asking, body?: object): Promise<IncomingMessage> {
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
        // Not what Node says of it: the token may be in there.
        reject(this.faults.unsendable(cause));
        return;
      }
      let fault: Error | undefined;
      const end = (why: Error) => {
        fault ??= why;
        request.destroy(why);
      };
      const cancel = () => end(this.faults.cancelled());
      let timer: NodeJS.Timeout | undefined;
      // From there on: before, it waits for others of ours.
      request.once('socket', () => {
        timer = setTimeout(() => end(this.faults.slow()), this.#patience);
      });
      signal?.addEventListener('abort', cancel, { once: true });
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', cancel);
      };
      request.once('response', (message) => {
        done();
        resolve(message);
      });
      request.on('error', (cause) => {
        done();
        reject(fault ?? this.faults.unreachable(cause));
      });
      // Node closes a connection that is to speak another protocol (101), and says nothing.
      request.once('close', () => {
        done();
        reject(fault ?? this.faults.half());
      });
      if (signal?.aborted) cancel();
      request.end(content);
    });
  }

  #answer(message: IncomingMessage, { most, signal }: Asking): Answer {
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
    return { type, body: this.#parts(message, most, signal) };
  }

  async *#parts(message: IncomingMessage, most: number, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    let [bytes, isSlow] = [0, false];
    const cancel = () => message.destroy();
    const timer = setTimeout(() => {
      isSlow = true;
      message.destroy();
    }, this.#patience);
    signal?.addEventListener('abort', cancel, { once: true });
    if (signal?.aborted) cancel();
    try {
      for await (const part of message as AsyncIterable<Uint8Array>) {
        timer.refresh();
        bytes += part.byteLength;
        if (bytes > most) throw this.faults.large(most);
        yield part;
      }
      if (!message.complete) throw this.faults.half();
    } catch (thrown) {
      if (signal?.aborted) throw this.faults.cancelled();
      if (isSlow) throw this.faults.slow();
      throw thrown instanceof GanderError ? thrown : this.faults.half(thrown);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
      message.destroy();
    }
  }
}
