// Shared by every script: progress on stderr, one line for a failure that a person can fix, and nothing left behind.
// Uses only Node's own modules: scripts start before anything is installed.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import path from 'node:path';

export const root = path.resolve(import.meta.dirname, '../..');

/** A failure whose message says in one line what to do. */
export class Remedy extends Error {}

export const say = (/** @type {string} */ text) => void process.stderr.write(`${text}\n`);

/** @type {Set<() => void | Promise<void>>} */
const endings = new Set();

/**
 * Calls `end` before this process ends, interrupted or not; returns a function that cancels that.
 * @param {() => void | Promise<void>} end
 */
export function atEnd(end) {
  endings.add(end);
  return () => void endings.delete(end);
}

async function finish() {
  const all = [...endings].reverse(); // last begun, first ended
  endings.clear();
  for (const end of all) {
    try {
      await end();
    } catch {
      // The others must still end.
    }
  }
}

/**
 * Runs a script: `body` returns the exit code.
 * @param {() => Promise<number>} body
 */
export async function main(body) {
  let interrupted = /** @type {boolean} */ (false);
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.once(signal, () => {
      interrupted = true;
      void finish().then(() => process.exit(128 + constants.signals[signal]));
    });
  }
  let code = 1;
  try {
    code = await body();
  } catch (e) {
    say(e instanceof Remedy ? `gander: ${e.message}` : e instanceof Error ? (e.stack ?? e.message) : String(e));
  }
  if (interrupted) return; // `finish` is already running, and may be why the body ended
  await finish();
  process.exit(code);
}

/** A temporary folder that is deleted when this process ends. */
export function temporary() {
  const dir = mkdtempSync(path.join(tmpdir(), 'gander-'));
  atEnd(() => rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }));
  return dir;
}

const posix = process.platform !== 'win32';

/**
 * Ends a process and all it started, and waits for it: with SIGTERM, then with SIGKILL.
 * @param {import('node:child_process').ChildProcess} child started with `detached`, so that it leads its own group
 */
export async function endGroup(child) {
  const kill = (/** @type {NodeJS.Signals} */ signal) => {
    try {
      if (posix && child.pid) process.kill(-child.pid, signal);
      else child.kill(signal);
    } catch {
      // No process is left.
    }
  };
  const gone = child.exitCode !== null || child.signalCode !== null;
  kill('SIGTERM');
  if (!gone) {
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, 5000);
      child.once('exit', () => {
        clearTimeout(timer);
        resolve(undefined);
      });
    });
  }
  kill('SIGKILL');
}

/**
 * Runs a program to its end and returns its exit code and its output, if that was captured.
 * @param {string} command @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, output?: 'show' | 'capture' | 'errors' }} [options] `errors`: its
 *   output goes to stderr, so that stdout has only results
 */
export async function run(command, args, { cwd = root, env = process.env, output = 'show' } = {}) {
  const out = output === 'capture' ? 'pipe' : output === 'errors' ? 2 : 'inherit';
  const child = spawn(command, args, {
    cwd,
    env,
    stdio: ['ignore', out, output === 'capture' ? 'pipe' : 'inherit'],
    detached: posix,
    shell: !posix && !/\.exe$/i.test(command), // npm and code are .cmd files on Windows
  });
  const callOff = atEnd(() => endGroup(child));
  let text = '';
  const take = (/** @type {string} */ part) => (text += part);
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', take);
  try {
    const code = await new Promise((resolve, reject) => {
      child.once('error', () => reject(new Remedy(`${command} cannot be started; install it or fix the PATH`)));
      child.once('close', (status) => resolve(status ?? 1));
    });
    return { code: Number(code), text };
  } finally {
    callOff();
  }
}

/**
 * Runs npm, quietly; a failure becomes a Remedy.
 * @param {string} what the step's name, for the message
 * @param {readonly string[]} args @param {{ cwd?: string }} [options]
 */
export async function npm(what, args, { cwd = root } = {}) {
  const all = ['--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error', ...args];
  const self = process.env['npm_execpath'];
  const { code, text } = self?.endsWith('.js')
    ? await run(process.execPath, [self, ...all], { cwd, output: 'capture' })
    : await run('npm', all, { cwd, output: 'capture' });
  if (code !== 0) throw new Remedy(`${what} failed: ${explain(text)}`);
  return text;
}

/** What went wrong and what to do, in one line. @param {string} text */
export function explain(text) {
  if (/ENOSPC|no space left/i.test(text)) return 'the disk is full; free 2 GB and run this again';
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT/.test(text)) {
    return 'the package registry cannot be reached; connect to a network (or set `npm config set registry`) and run this again';
  }
  if (/EACCES|EPERM/.test(text)) return `no permission to write; ${lastLine(text)}`;
  return lastLine(text);
}

const lastLine = (/** @type {string} */ text) =>
  text
    .split('\n')
    .map((line) => line.replace(/^npm (error|ERR!)\s*/, '').trim())
    .filter((line) => line && !/complete log|_logs/.test(line))
    .slice(0, 3)
    .join(' · ') || 'no message';
