/** gander-serve according to its protocol (python/gander-serve). Instead of running a model, it answers with a given trace. */
import { writtenExpertSet } from '../../src/trace/file/container.js';
import { encodeTrace } from '../../src/trace/file/file.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { type Handler, json } from './http.js';

export interface ServeOptions {
  /** The trace that it answers with, by text. */
  readonly trace: (text: string) => Trace;
  readonly token?: string;
  readonly streams?: boolean;
  readonly strategies?: readonly string[];
  /** Undefined: like versions from before there were scores, it does not say. */
  readonly scores?: boolean | undefined;
  readonly target?: boolean;
}

export const framesType = 'application/x-gander-frames';

export function ganderServe(options: ServeOptions): Handler {
  const { trace, token, streams = true, strategies = [], target = false } = options;
  const scores = 'scores' in options ? options.scores : true;
  const { expertSets, modules, source } = trace('a');
  return async ({ path, headers, body = {} }, response) => {
    if (path === '/health') return json(response, { status: 'ok' });
    if (token !== undefined && headers.authorization !== `Bearer ${token}`)
      return json(response, { error: { code: 'unauthorized', message: 'No.', remedy: 'Ask its owner.' } }, 401);
    if (path === '/v1/info')
      return json(response, {
        server: 'gander-serve',
        protocol: 1,
        name: source.name,
        model: source.name,
        family: 'moe',
        limits: { tokens: 256 },
        can: { generate: true, whatIf: true, attribute: true, score: scores, stream: streams, target },
        strategies,
        sites: modules,
        expertSets: expertSets.map(writtenExpertSet),
        warnings: [{ code: 'dtype', text: 'The model runs in bfloat16.' }],
        versions: { 'gander-serve': '0.1.0', transformers: '5.24.0' },
      });
    if (path === '/v1/score' && scores) {
      const found = { bits: 12.5, bytes: 9, tokens: 3 };
      if (!headers.accept?.includes(framesType)) return json(response, found);
      response.writeHead(200, { 'content-type': framesType });
      return response.end(Buffer.concat([frame(1, { done: 3, total: 3 }), frame(5, found)]));
    }
    if (path === '/v1/attribute') {
      const { sequences } = trace(body['text'] as string);
      const T = sequences[0]!.done;
      const found = {
        experts: [{ id: '0.1', name: 'Layer 0 expert 1' }],
        logProb: Array.from({ length: T }, (_, t) => (t === 0 ? null : -1)),
        change: Array.from({ length: T }, (_, t) => [t === 0 ? null : -0.5]),
      };
      if (!headers.accept?.includes(framesType)) return json(response, found);
      response.writeHead(200, { 'content-type': framesType });
      return response.end(Buffer.concat([frame(1, { done: 1, total: 2 }), frame(5, found)]));
    }
    if (path !== '/v1/route' && path !== '/v1/generate')
      return json(response, { error: { message: 'Not found' } }, 404);
    const done = trace(body['text'] as string);
    const bytes = encodeTrace(done);
    if (!headers.accept?.includes(framesType)) {
      response.writeHead(200, { 'content-type': 'application/vnd.gander.trace' });
      return response.end(bytes);
    }
    response.writeHead(200, { 'content-type': framesType });
    const total = done.sequences[0]!.done;
    const half = Math.floor(total / 2);
    response.write(frame(1, { done: half, total }));
    response.write(frame(2, encodeTrace(upTo(done, half))));
    // In two parts that are not whole frames.
    const last = frame(3, bytes);
    response.write(last.subarray(0, 11));
    await new Promise((resolve) => setImmediate(resolve));
    return response.end(last.subarray(11));
  };
}

export function frame(kind: number, content: object | Uint8Array): Buffer {
  const body = content instanceof Uint8Array ? content : Buffer.from(JSON.stringify(content));
  const head = Buffer.alloc(8);
  head.writeUInt32LE(kind, 0);
  head.writeUInt32LE(body.byteLength, 4);
  return Buffer.concat([head, body]);
}

/** The trace while it runs, with this many tokens done. */
function upTo(trace: Trace, done: number): Trace {
  return { ...trace, sequences: trace.sequences.map((sequence) => ({ ...sequence, done })) };
}
