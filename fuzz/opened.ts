/** Which files a process opens: its own calls tell (children/watch.ts); what native code holds open Linux tells. */
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import path from 'node:path';

/** Environment: the roots, a JSON list of folders. */
export const rootsVariable = 'GANDER_FUZZ_ROOTS';
export const outsideMark = 'opened outside: ';

/** What any process has open: the system's libraries and what the kernel shows as files. */
const system = ['/usr', '/lib', '/lib32', '/lib64', '/dev', '/proc', '/sys', '/etc/ld.so.cache', '/etc/localtime'];

/** Files that the process has mapped or open at the moment and that are neither the system's nor in the roots; none where there is no /proc. */
export function heldOutside(pid: number, roots: readonly string[]): string[] {
  const proc = `/proc/${pid}`;
  if (!existsSync(proc)) return [];
  const allowed = [...system, ...roots, process.execPath];
  return [...new Set([...mapped(proc), ...open(proc)])].filter(
    (file) => file.startsWith('/') && !allowed.some((root) => file === root || file.startsWith(root + path.sep)),
  );
}

function mapped(proc: string): string[] {
  return attempt(() =>
    readFileSync(`${proc}/maps`, 'utf8')
      .split('\n')
      .map((line) =>
        line
          .split(/\s+/)
          .slice(5)
          .join(' ')
          .replace(/ \(deleted\)$/, ''),
      ),
  );
}

function open(proc: string): string[] {
  return attempt(() =>
    readdirSync(`${proc}/fd`).flatMap((fd) =>
      attempt(() => [readlinkSync(`${proc}/fd/${fd}`).replace(/ \(deleted\)$/, '')]),
    ),
  );
}

/** The process may end, or close a file, meanwhile. */
function attempt(read: () => string[]): string[] {
  try {
    return read();
  } catch {
    return [];
  }
}

/** Bytes that a process held at most so far; 0 where Linux does not say. */
export function peakOf(pid: number): number {
  const status = attempt(() => [readFileSync(`/proc/${pid}/status`, 'utf8')])[0] ?? '';
  return 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0);
}
