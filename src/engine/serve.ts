/** The main thread of an engine's child process, whatever the engine. */
import { GanderError } from '../errors/errors.js';
import type { ChildMessage, HostMessage } from '../protocol/engine.js';
import type { Trace } from '../trace/model/trace.js';
import { headOf, TraceSender } from '../transport/pieces.js';
import type { Engine, EngineOptions, PoolKeeper, RunOptions } from '../requests/api.js';
import { startGuard } from './guard.js';

const host = process.ppid;
const running = new Map<number, AbortController>();

type Served = Engine & Partial<PoolKeeper>;

/** Makes the engine; told, before the process falls silent over it, how long a load may take. */
type Create = (options: EngineOptions, onLoading: (mayTake: number) => unknown) => Served | Promise<Served>;

export function serve(create: Create): void {
  let engine: Promise<Served> | undefined;
  process.on('message', (message: HostMessage) => {
    switch (message.type) {
      case 'start': {
        const { options, memory } = message;
        startGuard(__filename, { host, pool: options.pool, memory });
        engine = Promise.resolve().then(() => create(options, (mayTake) => send({ type: 'loading', mayTake })));
        // Without a listener a failure would end the process before any call could be answered with it.
        engine.catch(() => undefined);
        void send({ type: 'ready' });
        break;
      }
      case 'call':
        void answer(engine, message);
        break;
      case 'cancel':
        running.get(message.id)?.abort();
        break;
    }
  });

  // A host that is gone leaves no orphan. While native code runs nobody hears this: guard.ts.
  process.on('disconnect', () => process.exit(0));

  // Ctrl+C in a terminal reaches all processes there. The host knows what to do, and says it as it was asked to.
  process.on('SIGINT', () => undefined);
}

async function answer(
  engine: Promise<Served> | undefined,
  call: Extract<HostMessage, { type: 'call' }>,
): Promise<void> {
  const { id } = call;
  const abort = new AbortController();
  running.set(id, abort);
  try {
    if (!engine)
      throw new GanderError(
        'internal',
        'The engine was called before it was started.',
        'Please report this with the Gander log.',
      );
    const sender = new TraceSender();
    const sendNew = (trace: Trace) => {
      for (const pieces of [sender.first(trace), sender.late(trace)])
        for (const piece of pieces) void send({ type: 'piece', id, piece });
      return headOf(trace);
    };
    const result = await invoke(await engine, call, {
      signal: abort.signal,
      onProgress: (done, total) => void send({ type: 'progress', id, done, total }),
      ...(call.partial && {
        onPartial: (trace) => send({ type: 'partial', id, head: sendNew(trace) }),
        onAttributed: (part) => send({ type: 'attributed', id, part }),
      }),
    });
    if ('blocks' in result) void send({ type: 'trace', id, head: sendNew(result) });
    else void send({ type: 'result', id, result });
  } catch (error) {
    void send({ type: 'error', id, error: GanderError.from(error).toData() });
  } finally {
    running.delete(id);
  }
}

function invoke(target: Served, call: Extract<HostMessage, { type: 'call' }>, options: RunOptions) {
  switch (call.method) {
    case 'info':
      return target.info();
    case 'route':
      return target.route(call.request, options);
    case 'generate':
      return target.generate(call.request, options);
    case 'attribute':
      return target.attribute(call.request, options);
    case 'score':
      return target.score(call.request, options);
    case 'similarity':
      if (target.similarity) return target.similarity(call.request, options);
      throw noPool();
    case 'lens':
      return target.lens(call.request, options);
    case 'examine':
      if (target.examine) return target.examine(call.request);
      throw noPool();
  }
}

function noPool(): GanderError {
  return new GanderError('request-invalid', 'This engine has no pool on this machine.', 'Choose a pool.');
}

/** Done when all of it has left: what is still in the channel when a chunk begins stays there till the chunk's end. */
function send(message: ChildMessage): Promise<void> {
  return new Promise((resolve) => {
    // The host may be gone between its end and the event that says so.
    if (process.connected) process.send!(message, undefined, undefined, () => resolve());
    else resolve();
  });
}
