/** The main thread of a child process that runs an engine, whatever the engine. */
import { Answerer } from '../channel/answerer.js';
import { GanderError } from '../errors/errors.js';
import type { ChildMessage, HostMessage } from '../protocol/engine.js';
import type { EngineOptions } from '../requests/api.js';
import type { Requests } from '../requests/schemas.js';
import type { Engine } from '../requests/ask.js';
import { cutterOf } from '../transport/forms.js';
import { startGuard } from './guard.js';

const host = process.ppid;

/** Makes the engine; told, before the process falls silent over it, how long a load may take. */
type Create = (options: EngineOptions, onLoading: (mayTake: number) => unknown) => Engine | Promise<Engine>;

export function serve(create: Create): void {
  let engine: Promise<Engine> | undefined;
  const answerer = new Answerer<Requests>(
    async (name, request, options) => {
      if (!engine) throw early();
      return (await engine).ask(name, request, options);
    },
    send,
    cutterOf,
  );
  process.on('message', (message: HostMessage) => {
    if (message.type !== 'start') {
      answerer.take(message);
      return;
    }
    const { options, memory } = message;
    startGuard(__filename, { host, pool: options.pool, memory });
    engine = Promise.resolve().then(() => create(options, (mayTake) => send({ type: 'loading', mayTake })));
    // Without a listener a failure would end the process before any call could be answered with it.
    engine.catch(() => undefined);
    void send({ type: 'ready' });
  });

  // A host that is gone leaves no orphan. While native code runs nobody hears this: guard.ts.
  process.on('disconnect', () => process.exit(0));

  // Ctrl+C in a terminal reaches all processes there. The host knows what to do, and says it as it was asked to.
  process.on('SIGINT', () => undefined);
}

/** Done when all of it has left: what is still in the channel when a chunk begins stays there till the chunk's end. */
function send(message: ChildMessage): Promise<void> {
  return new Promise((resolve) => {
    // The host may be gone between its end and the event that says so.
    if (process.connected) process.send!(message, undefined, undefined, () => resolve());
    else resolve();
  });
}

function early(): GanderError {
  return new GanderError(
    'internal',
    'The engine was called before it was started.',
    'Please report this with the Gander log.',
  );
}
