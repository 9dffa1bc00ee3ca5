// supervise.mjs FOLDER COMMAND ARGS...: runs the command, and ends it with all that it started when this process's input
// closes: whoever started this wants it gone, or is gone, killed even. Then removes FOLDER ('': nothing) and itself.
// Started detached, so that all of them are one process group.
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';

const [folder, command = '', ...args] = process.argv.slice(2);

// Its own pipes: a reader that is gone must not take the command down before its folder is removed.
const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
child.stdout.pipe(process.stdout).on('error', () => {});
child.stderr.pipe(process.stderr).on('error', () => {});

const finish = () => {
  if (folder) {
    // The last to write may still be ending.
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
  process.kill(-process.pid, 'SIGKILL');
};
child.once('error', finish);
child.once('exit', () => setTimeout(finish, 300)); // let what it started see that and end

const stop = () => {
  child.kill('SIGTERM');
  setTimeout(finish, 4000);
};
process.stdin.resume().once('close', stop);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, stop);
