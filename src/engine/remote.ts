import type { ServerAccess } from '../requests/api.js';
import { EngineClient, type EngineClientOptions } from './client.js';

export interface RemoteClientOptions extends Pick<EngineClientOptions, 'received' | 'log'> {
  readonly address: string;
  readonly access: Omit<ServerAccess, 'patienceMs'>;
  /** Absolute path of the child's script, `dist/remote.cjs`. */
  readonly entry: string;
  /** How long the server may be silent; 0: forever. Milliseconds. */
  readonly patienceMs: number;
}

/** Bytes of memory that the child may take: for an answer at its limit, what is read from it, and the trace. */
const memory = 3e9;

/** While it reads a large answer, the child is silent for longer than the server was. Milliseconds. */
const reading = 60_000;

/** A server's model as an engine. The child asks the server and reads its answers. */
export function remoteClient({ address, access, entry, patienceMs, ...more }: RemoteClientOptions): EngineClient {
  return new EngineClient({
    pool: address,
    server: { ...access, patienceMs },
    entry,
    memory,
    // Once until the answer begins, and once until it is complete.
    deadlineMs: patienceMs === 0 ? 0 : 2 * patienceMs + reading,
    // A server's model needs neither a folder nor a processor here.
    cache: '',
    threads: 0,
    chunk: 1,
    ...more,
  });
}
