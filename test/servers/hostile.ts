/** What may be at an address instead of an engine: other programs, broken servers and malicious ones. */
import type { Handler } from './http.js';
import { json } from './http.js';

/** Answers like `inner`, except for the request for a run. */
export function atRun(inner: Handler, run: Handler, path = '/v1/completions'): Handler {
  return (asked, response) => (asked.path === path ? run(asked, response) : inner(asked, response));
}

/** Endless bytes. */
export const endless: Handler = (_, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const part = Buffer.alloc(1 << 20, ' ');
  const more = () => {
    while (!response.destroyed && response.write(part));
  };
  response.on('drain', more);
  more();
};

/** Announces more bytes than it ever sends. */
export const boasting: Handler = (_, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '9000000000' });
  response.write('{');
};

export const page: Handler = (_, response) => {
  response.writeHead(200, { 'content-type': 'text/html' });
  response.end('<!doctype html><title>Log in</title>');
};

/** The same, declared as JSON. */
export const disguisedPage: Handler = (_, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end('<!doctype html>');
};

export const half: Handler = (_, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
  response.write('{"choices": [');
  // By then, what was written has been sent.
  setImmediate(() => response.destroy());
};

/** Switches to another protocol. */
export const upgrading: Handler = (_, response) => {
  response.socket!.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
};

export const silent: Handler = () => undefined;

/** The beginning of an answer, and then the same part again and again for ever. */
export const drips =
  (begin: Uint8Array | string, part: Uint8Array | string, status = 200, type = 'application/json'): Handler =>
  (_, response) => {
    response.writeHead(status, { 'content-type': type });
    response.write(begin);
    const drip = setInterval(() => response.write(part), 20);
    response.on('close', () => clearInterval(drip));
  };

/** One byte after another, for ever. */
export const dripping = drips('{', ' ');

export const elsewhere =
  (to: string): Handler =>
  (_, response) => {
    response.writeHead(307, { location: to });
    response.end();
  };

/** Busy this many times, then answers like `inner`. */
export function busy(times: number, inner: Handler, status = 429): Handler {
  let left = times;
  return (asked, response) =>
    left-- > 0
      ? json(response, { error: { message: 'Too many requests' } }, status, { 'retry-after': '0' })
      : inner(asked, response);
}
