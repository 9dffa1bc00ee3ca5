/** Which files a process opens: children/watch.ts reports its own calls; what native code holds open is read from Linux's /proc. */
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import path from 'node:path';

/** Environment variable with the roots, a JSON list of folders. */
export const rootsVariable = 'GANDER_FUZZ_ROOTS';
export const outsideMark = 'opened outside: ';

/** What any process may have open: the system's libraries, and the kernel's own files. */
const system = ['/usr', '/lib', '/lib32', '/lib64', '/dev', '/proc', '/sys', '/etc/ld.so.cache', '/etc/localtime'];

/** Files that the process has mapped or open now, outside the system's and the roots; empty without /proc. */
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

/** The process may end, or close a file, while it is inspected. */
function attempt(read: () => string[]): string[] {
  try {
    return read();
  } catch {
    return [];
  }
}

/** Most bytes that a process has used so far; 0 if unknown. */
export function peakOf(pid: number): number {
  const status = attempt(() => [readFileSync(`/proc/${pid}/status`, 'utf8')])[0] ?? '';
  return 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0);
}
