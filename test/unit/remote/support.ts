import { onTestFinished } from 'vitest';
import type { ServerAccess, ServerInfo } from '../../../src/requests/api.js';
import type { Engine } from '../../../src/requests/ask.js';
import { remoteEngine } from '../../../src/remote/index.js';
import { type ErrorData, GanderError } from '../../../src/errors/errors.js';
import { rowsAt } from '../../../src/trace/model/access.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { type Handler, listen, type Listening } from '../../servers/http.js';

export interface Connected extends Listening {
  readonly engine: Engine;
  readonly info: () => Promise<ServerInfo>;
}

/** An engine on a server that is closed after the test. */
export async function connect(handler: Handler, access: ServerAccess = {}): Promise<Connected> {
  const server = await listen(handler);
  const engine = remoteEngine({ pool: server.address, server: access });
  onTestFinished(async () => {
    engine.dispose();
    await server.close();
  });
  return { ...server, engine, info: async () => (await engine.info()) as ServerInfo };
}

/** The error that a request is rejected with. */
export async function refusal(asked: Promise<unknown>): Promise<ErrorData> {
  try {
    await asked;
  } catch (thrown) {
    if (thrown instanceof GanderError) return thrown.toData();
    throw thrown;
  }
  throw new Error('it was not refused');
}

/** [modules][tokens][k] */
export function chosen(trace: Trace): number[][][] {
  return trace.modules.map((_, s) => {
    const rows = rowsAt(trace, s);
    return Array.from({ length: rows.tokens }, (__, t) => [...rows.chosen.subarray(t * rows.k, (t + 1) * rows.k)]);
  });
}

/** The text of each token; null if it has none. */
export function pieces({ sequences }: Trace): (string | null)[] {
  const { text, tokens } = sequences[0]!;
  return Array.from({ length: tokens.count }, (_, t) =>
    tokens.start![t]! < 0 ? null : text!.slice(tokens.start![t], tokens.end![t]),
  );
}
