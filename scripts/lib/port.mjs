// The port that GANDER_PORT names.
import { createServer } from 'node:net';
import { Remedy } from './main.mjs';

/** Undefined if none is named; 0 means any free port. */
export async function askedPort() {
  const asked = process.env['GANDER_PORT'];
  if (!asked) return undefined;
  const port = Number(asked);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Remedy('GANDER_PORT must be a port number');
  await free(port);
  return port;
}

/** @param {number} port */
function free(port) {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', () =>
      reject(new Remedy(`port ${port} is taken; set GANDER_PORT to another, or to 0 for any that is free`)),
    );
    probe.listen(port, '127.0.0.1', () => probe.close(resolve));
  });
}
