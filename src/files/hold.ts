/** One run at a time writes an atlas, or a pool's lock file: of two that read, change and write, one would lose what the other wrote. */
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { isAlive } from '../checks/alive.js';
import { GanderError } from '../errors/errors.js';
import { writeError } from './writeError.js';

/** Files that this process holds. A killed process may have had the same number, as in a container. */
const held = new Set<string>();

const host = os.hostname().replace(/[^\w-]/g, '_');

/**
 * Holds a file or folder while it is written, by a file beside it whose name says which process holds it. So who takes it needs to write nothing,
 * and what a killed process has left can be removed at any time.
 * Rejects with GanderError `request-invalid` if another run holds it, `io`, or what `body` threw.
 */
export async function holding<T>(target: string, body: () => T | Promise<T>): Promise<T> {
  const file = path.resolve(`${target}.lock-${process.pid}-${host}`);
  if (held.has(file)) throw heldBy(target, file);
  try {
    writeFileSync(file, '');
  } catch (cause) {
    throw writeError(file, cause);
  }
  held.add(file);
  try {
    checkOthers(target, file);
    return await body();
  } finally {
    held.delete(file);
    rmSync(file, { force: true });
  }
}

function checkOthers(target: string, own: string): void {
  const folder = path.dirname(own);
  const start = `${path.basename(target)}.lock-`;
  for (const name of readdirSync(folder).filter((one) => one.startsWith(start))) {
    const file = path.join(folder, name);
    if (file === own) continue;
    const [, pid, where] = /^(\d+)-([\w-]*)$/.exec(name.slice(start.length)) ?? [];
    if (pid === undefined) continue;
    // Whether a process of another machine is alive cannot be known.
    if (where !== host || isAlive(Number(pid))) throw heldBy(target, file);
    rmSync(file, { force: true });
  }
}

function heldBy(target: string, file: string): GanderError {
  const [, pid, where] = /\.lock-(\d+)-([\w-]*)$/.exec(file)!;
  return new GanderError(
    'request-invalid',
    `${target} is being written by process ${pid!}${where === host ? '' : ` on ${where!}`}.`,
    `Wait for it, or stop it. If it is no process of Gander, remove ${file}.`,
  );
}
