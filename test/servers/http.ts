/** A real server on 127.0.0.1, with a port of its own. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  /** Undefined without a body. */
  readonly body: Readonly<Record<string, unknown>> | undefined;
}

export type Handler = (asked: Asked, response: ServerResponse) => unknown;

export interface Listening {
  readonly address: string;
  /** All requests so far. */
  readonly asked: readonly Asked[];
  /** The most requests that were in progress at once. */
  readonly most: () => number;
  close(): Promise<void>;
}

export async function listen(handle: Handler): Promise<Listening> {
  const asked: Asked[] = [];
  let [now, most] = [0, 0];
  const server = createServer((request, response) => {
    most = Math.max(most, ++now);
    response.on('close', () => now--);
    void read(request).then(async (one) => {
      asked.push(one);
      await handle(one, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    most: () => most,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function read(request: IncomingMessage): Promise<Asked> {
  const parts: Uint8Array[] = [];
  for await (const part of request as AsyncIterable<Uint8Array>) parts.push(part);
  const text = Buffer.concat(parts).toString();
  return {
    method: request.method!,
    path: request.url!,
    headers: request.headers,
    body: text === '' ? undefined : (JSON.parse(text) as Asked['body']),
  };
}

export function json(
  response: ServerResponse,
  value: unknown,
  status = 200,
  headers: Record<string, string> = {},
): true {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(value));
  return true;
}

/** In the words of FastAPI, on which all of these servers are built. */
export const notFound = (response: ServerResponse) => json(response, { detail: 'Not Found' }, 404);
