import type { ServerAccess } from '../requests/api.js';
import { EngineClient, type EngineClientOptions } from './client.js';

export interface RemoteClientOptions extends Pick<EngineClientOptions, 'received' | 'log'> {
  readonly address: string;
  readonly access: Omit<ServerAccess, 'patienceMs'>;
  /** Absolute path of the child's script, `dist/remote.cjs`. */
  readonly entry: string;
  /** How long the server may be silent; 0: for ever. Milliseconds. */
  readonly patienceMs: number;
}

/** Bytes that the child may hold: an answer at its limit, read, and the trace of it. */
const memory = 3e9;

/** To read a large answer, the child is silent for longer than the server was. Milliseconds. */
const reading = 60_000;

/** A server's model as an engine. The child asks the server and reads what it answers. */
export function remoteClient({ address, access, entry, patienceMs, ...more }: RemoteClientOptions): EngineClient {
  return new EngineClient({
    pool: address,
    server: { ...access, patienceMs },
    entry,
    memory,
    // Until an answer begins, and until it is there.
    deadlineMs: patienceMs === 0 ? 0 : 2 * patienceMs + reading,
    // Nothing here is a folder's or a processor's.
    cache: '',
    threads: 0,
    chunk: 1,
    ...more,
  });
}
