/** Corrupts the answers of servers. */
import type { ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { Asked, Handler } from '../../test/servers/http.js';
import type { Random } from '../random.js';
import { spoiltBytes } from './bytes.js';
import { spoilJson } from './json.js';
import { anyNumber } from './numbers.js';
import { spoiltHeader } from './safetensors.js';

export interface Said {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Records what a handler answers. */
export function saidBy(handler: Handler, asked: Asked): Promise<Said> {
  return new Promise((resolve, reject) => {
    let head: Pick<Said, 'status' | 'headers'> = { status: 200, headers: {} };
    const parts: Buffer[] = [];
    const take = (part?: Uint8Array | string) => part !== undefined && parts.push(Buffer.from(part as string));
    const response = {
      writeHead: (status: number, headers: Record<string, string> = {}) => (head = { status, headers }),
      write: (part: Uint8Array | string) => take(part) !== false,
      end: (part?: Uint8Array | string) => {
        take(part);
        resolve({ ...head, body: Buffer.concat(parts) });
      },
    };
    Promise.resolve(handler(asked, response as unknown as ServerResponse)).catch(reject);
  });
}

/** An answer with content that is almost valid. */
export function spoiltContent({ headers, body }: Said, random: Random): { bytes: Uint8Array; how: string } {
  const type = headers['content-type'] ?? '';
  if (type.includes('frames') && random.chance(0.8)) return spoiltFrames(body, random);
  if (type.includes('trace') && random.chance(0.6)) return spoiltHeader(body, random);
  if (!type.includes('json') || random.chance(0.2)) return spoiltBytes(body, random);
  return spoiltJson(body, random);
}

function spoiltJson(body: Buffer, random: Random): { bytes: Uint8Array; how: string } {
  const text = body.toString();
  let done: { bytes: Uint8Array; how: string } | undefined;
  const how = random.do({
    number: () => (done = anyNumber(body, random)).how,
    encoded: () => (done = spoiltBase64(text, random)).how,
    json: () => {
      const value: unknown = JSON.parse(text);
      const changed = spoilJson(value, random);
      done = { bytes: Buffer.from(written(value)), how: changed };
      return changed;
    },
  });
  return { bytes: done!.bytes, how };
}

/** A value as JSON; if it is nested too deeply to be written, very deep brackets instead. */
function written(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (thrown) {
    if (thrown instanceof RangeError) return `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    throw thrown;
  }
}

/** Replaces a base64 string by one of other bytes, or by one that is not base64. */
function spoiltBase64(text: string, random: Random): { bytes: Uint8Array; how: string } {
  const found = [...text.matchAll(/"([A-Za-z0-9+/]{16,}={0,2})"/g)];
  if (found.length === 0) return anyNumber(Buffer.from(text), random);
  const one = random.pick(found);
  const bytes = Buffer.from(one[1]!, 'base64');
  let other = '';
  const how = random.do({
    'other bytes': () => (other = Buffer.from(spoiltBytes(bytes, random).bytes).toString('base64')),
    'another number': () => (other = Buffer.from(anyNumber(bytes, random).bytes).toString('base64')),
    'no base64': () => (other = `${one[1]!.slice(0, random.below(one[1]!.length))}!*~`),
    'cut off': () => (other = one[1]!.slice(0, random.below(one[1]!.length))),
    'megabytes of it': () => (other = one[1]!.replace(/=+$/, '').repeat(4000)),
  });
  return { bytes: Buffer.from(text.replace(one[1]!, other)), how: how.split(':')[0]! };
}

interface Frame {
  kind: number;
  length: number;
  body: Buffer;
}

const lengths = [0, 1, 7, 2 ** 16, 2 ** 24, 512 * 2 ** 20, 512 * 2 ** 20 + 1, 2 ** 31, 2 ** 32 - 1];

function spoiltFrames(body: Buffer, random: Random): { bytes: Uint8Array; how: string } {
  const frames: Frame[] = [];
  for (let at = 0; at < body.length;) {
    const length = body.readUInt32LE(at + 4);
    frames.push({ kind: body.readUInt32LE(at), length, body: body.subarray(at + 8, at + 8 + length) });
    at += 8 + length;
  }
  const i = random.below(frames.length);
  const one = frames[i]!;
  const content = ({ bytes, how }: { bytes: Uint8Array; how: string }) => {
    one.body = Buffer.from(bytes);
    one.length = one.body.length;
    return how;
  };
  const how = random.do({
    'a length': () => (one.length = random.pick(lengths)),
    'a kind': () => (one.kind = random.pick([0, 1, 2, 3, 4, 5, 6, 255, 2 ** 32 - 1])),
    'one gone': () => frames.splice(i, 1),
    'one twice': () => frames.splice(i, 0, one),
    'one many times': () => frames.splice(i, 0, ...new Array<Frame>(200).fill(one)),
    'in another order': () => frames.reverse(),
    'bytes of one': () => content(spoiltBytes(one.body, random)),
    'header of one': () =>
      content(one.kind === 2 || one.kind === 3 ? spoiltHeader(one.body, random) : spoiltJson(one.body, random)),
    'something behind': () => frames.push({ kind: 1, length: 9, body: Buffer.from('{') }),
  });
  const bytes = frames.flatMap(({ kind, length, body: inside }) => {
    return [head(kind, length), inside];
  });
  return { bytes: Buffer.concat(bytes), how: `frames, ${how}` };
}

type Manner = (said: Said, response: ServerResponse, elsewhere: string) => unknown;

/** Ways to deliver an answer, whatever its content; each ends or falls silent. */
export function manners(random: Random): Readonly<Record<string, Manner>> {
  const statuses = [201, 204, 206, 300, 304, 400, 401, 403, 404, 405, 413, 418, 429, 500, 501, 503, 599];
  const [status, part, wait] = [random.pick(statuses), 1 + random.below(2000), random.pick(['0', '1', '-1', 'soon'])];
  const raw = random.pick(raws);
  const types = ['', 'text/html', 'text/plain', 'application/x-gander-frames', 'application/json; charset=utf-16'];
  const type = random.pick([...types, 'x'.repeat(10_000)]);
  const length = random.pick(['0', '1', '9000000000', '18446744073709551615']);
  return {
    status: ({ headers, body }, response) => {
      response.writeHead(status, { ...headers, 'retry-after': wait });
      response.end(status === 204 || status === 304 ? undefined : body);
    },
    type: ({ body }, response) => response.writeHead(200, { 'content-type': type }).end(body),
    length: ({ headers, body }, response) => {
      response.writeHead(200, { ...headers, 'content-length': length });
      response.strictContentLength = false;
      response.end(body);
    },
    packed: ({ headers, body }, response) =>
      response.writeHead(200, { ...headers, 'content-encoding': 'gzip' }).end(body),
    elsewhere: (_, response, elsewhere) => {
      const to = random.pick([elsewhere, `${elsewhere}/v1/models`, 'file:///etc/passwd', 'x'.repeat(9000), '']);
      response.writeHead(random.pick([301, 302, 303, 307, 308]), to === '' ? {} : { location: to }).end();
    },
    page: (_, response) =>
      response
        .writeHead(200, { 'content-type': random.pick(['text/html', 'application/json']) })
        .end('<!doctype html>'),
    'in parts': async ({ status: own, headers, body }, response) => {
      response.writeHead(own, headers);
      for (let at = 0; at < body.length && at < 20 * part; at += part) {
        response.write(body.subarray(at, at + part));
        await pause(10);
      }
      response.end(body.subarray(Math.min(body.length, 20 * part)));
    },
    'broken off': ({ status: own, headers, body }, response) => {
      response.writeHead(own, { ...headers, 'content-length': String(body.length) });
      response.write(body.subarray(0, part));
      setImmediate(() => response.destroy());
    },
    silence: () => undefined,
    'silence after some': ({ status: own, headers, body }, response) =>
      response.writeHead(own, headers).write(body.subarray(0, part)),
    'a byte now and then': async (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      for (let i = 0; i < 100 && !response.destroyed; i++) {
        response.write(' ');
        await pause(50);
      }
      response.end();
    },
    'dripped without end': ({ headers, body }, response) => {
      response.writeHead(random.pick([200, 200, 400, 404, 500, 503]), { ...headers, 'retry-after': '0' });
      response.write(body.subarray(0, part));
      again(response, Buffer.from(' '), 20);
    },
    'events without end': (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      again(response, Buffer.from('data: {}\n\n'), 20);
    },
    'a flood of the same': ({ status: own, headers, body }, response) => {
      response.writeHead(own, headers);
      again(response, body, 1);
    },
    'a flood of progress': (_, response) => {
      response.writeHead(200, { 'content-type': 'application/x-gander-frames' });
      const said = Buffer.from('{"done":1,"total":2}');
      again(response, Buffer.concat(new Array<Buffer>(2000).fill(Buffer.concat([head(1, said.length), said]))), 1);
    },
    'a million members': ({ headers }, response) => {
      const members = Object.fromEntries(Array.from({ length: 1_000_000 }, (_, i) => [`k${i}`, 0]));
      response.writeHead(200, headers).end(JSON.stringify(random.chance(0.5) ? members : { choices: [members] }));
    },
    'hundreds of megabytes': ({ headers }, response) => {
      response.writeHead(200, headers);
      const some = Buffer.alloc(1 << 20, ' ');
      let left = 300;
      const more = () => {
        while (left > 0 && !response.destroyed && response.write(some)) left--;
        if (left === 0) response.end();
      };
      response.on('drain', more);
      more();
    },
    gone: (_, response) => response.destroy(),
    [`raw ${raws.indexOf(raw)}`]: (_, response) => {
      response.socket?.write(raw);
      if (random.chance(0.5)) response.socket?.end();
    },
  };
}

/** Sends a part again and again until the client closes. */
function again(response: ServerResponse, part: Buffer, everyMs: number): void {
  const timer = setInterval(() => response.writableLength < 2 ** 24 && response.write(part), everyMs);
  response.on('close', () => clearInterval(timer));
}

function head(kind: number, length: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(kind, 0);
  bytes.writeUInt32LE(length, 4);
  return bytes;
}

const chunked = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n';

/** Bytes that are not an answer, or one that no server should send. */
const raws: readonly string[] = [
  'goose\r\n\r\n',
  '\0\0\0\0\0\0\0\0',
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  'HTTP/2 200\r\n\r\n',
  'HTTP/1.1 999999 Goose\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}',
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x',
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}',
  `HTTP/1.1 200 OK\r\n${'X-Goose: honk\r\n'.repeat(20_000)}\r\n`,
  'HTTP/1.1 200 OK\r\nX-Go\0ose: honk\r\n\r\n{}',
  'HTTP/1.1 100 Continue\r\n\r\n'.repeat(1000),
  'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}',
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
  'HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n{}',
  `${chunked}FFFFFFFFFFFFFFFF\r\n{}`,
  `${chunked}-1\r\n{}\r\n0\r\n\r\n`,
  `${chunked}2;${'x'.repeat(50_000)}\r\n{}\r\n0\r\n\r\n`,
  `${chunked}2\r\n{}\r\n0\r\n${'X-Goose: honk\r\n'.repeat(3000)}\r\n`,
];
