/** The main thread of a child process that runs an engine of any kind. */
import { Answerer } from '../channel/answerer.js';
import { GanderError } from '../errors/errors.js';
import type { ChildMessage, HostMessage } from '../protocol/engine.js';
import type { EngineOptions } from '../requests/api.js';
import type { Requests } from '../requests/schemas.js';
import type { Engine } from '../requests/ask.js';
import { cutterOf } from '../transport/forms.js';
import { startGuard } from './guard.js';

const host = process.ppid;

/** What an engine, which blocks its process, needs of the channel that it answers over. */
export interface Outlet {
  /** Told the milliseconds that a load may take, before the process falls silent. */
  readonly loading: (mayTake: number) => Promise<void>;
  /** Resolves once all that was sent has left: what is still in the channel when a chunk begins stays there until the chunk's end. */
  readonly emptied: () => Promise<void>;
  /** Told what is about to compute, so that the host knows what to blame if this process does not survive it. */
  readonly device: (message: Omit<DeviceMessage, 'type'>) => Promise<void>;
}

type DeviceMessage = Extract<ChildMessage, { readonly type: 'device' }>;

type Create = (options: EngineOptions, outlet: Outlet) => Engine | Promise<Engine>;

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
    engine = Promise.resolve().then(() => create(options, outlet));
    // Without a handler a failure would end the process before any call could be answered with it.
    engine.catch(() => undefined);
    void send({ type: 'ready' });
  });

  // Without its host the child ends, too. While native code runs, this event is not handled: guard.ts.
  process.on('disconnect', () => process.exit(0));

  // Ctrl+C in a terminal reaches all its processes. The host decides what to do, and reports it in the form it was asked for.
  process.on('SIGINT', () => undefined);
}

let last: Promise<void> = Promise.resolve();

/** Resolves once the message has left. */
function send(message: ChildMessage): Promise<void> {
  last = new Promise((resolve) => {
    // The host may be gone before the event that says so.
    if (process.connected) process.send!(message, undefined, undefined, () => resolve());
    else resolve();
  });
  return last;
}

const outlet: Outlet = {
  loading: (mayTake) => send({ type: 'loading', mayTake }),
  emptied: () => last,
  device: (message) => send({ type: 'device', ...message }),
};

function early(): GanderError {
  return new GanderError(
    'internal',
    'The engine was called before it was started.',
    'Please report this with the Gander log.',
  );
}
