/** The main thread of the engine's child process. */
import { GanderError } from '../shared/errors.js';
import type { ChildMessage, HostMessage } from '../shared/protocol.js';
import type { Trace } from '../trace/trace.js';
import { headOf, TraceSender } from '../transport/pieces.js';
import type { Engine, PoolKeeper, RunOptions } from './api.js';
import { startGuard } from './guard.js';
import { createEngine } from './local.js';

const host = process.ppid;
let engine: Promise<Engine & PoolKeeper> | undefined;
const running = new Map<number, AbortController>();

process.on('message', (message: HostMessage) => {
  switch (message.type) {
    case 'start':
      startGuard(__filename, { host, pool: message.options.pool, memory: message.memory });
      engine = createEngine(message.options, (mayTake) => send({ type: 'loading', mayTake }));
      // Without a listener a failure would end the process before any call could be answered with it.
      engine.catch(() => undefined);
      void send({ type: 'ready' });
      break;
    case 'call':
      void answer(message);
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

async function answer(call: Extract<HostMessage, { type: 'call' }>): Promise<void> {
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
      ...(call.partial && { onPartial: (trace) => send({ type: 'partial', id, head: sendNew(trace) }) }),
    });
    if ('blocks' in result) void send({ type: 'trace', id, head: sendNew(result) });
    else void send({ type: 'result', id, result });
  } catch (error) {
    void send({ type: 'error', id, error: GanderError.from(error).toData() });
  } finally {
    running.delete(id);
  }
}

function invoke(target: Engine & PoolKeeper, call: Extract<HostMessage, { type: 'call' }>, options: RunOptions) {
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
    case 'examine':
      return target.examine(call.request);
  }
}

/** Done when all of it has left: what is still in the channel when a chunk begins stays there till the chunk's end. */
function send(message: ChildMessage): Promise<void> {
  return new Promise((resolve) => {
    // The host may be gone between its end and the event that says so.
    if (process.connected) process.send!(message, undefined, undefined, () => resolve());
    else resolve();
  });
}
