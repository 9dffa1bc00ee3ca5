// supervise.mjs FOLDER COMMAND ARGS...: runs the command, and ends it with everything that it started when this process's input
// closes, because whoever started this wants that, or was killed. Then removes FOLDER ('': nothing) and ends itself.
// Started detached, so that all of these are one process group.
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';

const [folder, command = '', ...args] = process.argv.slice(2);

// Pipes of its own: a reader that is gone must not end the command before its folder is removed.
const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
child.stdout.pipe(process.stdout).on('error', () => {});
child.stderr.pipe(process.stderr).on('error', () => {});

const finish = () => {
  if (folder) {
    // The last process that writes there may still be ending.
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
  process.kill(-process.pid, 'SIGKILL');
};
child.once('error', finish);
child.once('exit', () => setTimeout(finish, 300)); // let its children see that and end

const stop = () => {
  child.kill('SIGTERM');
  setTimeout(finish, 4000);
};
process.stdin.resume().once('close', stop);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, stop);
