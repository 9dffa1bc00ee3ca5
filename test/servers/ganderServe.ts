/** gander-serve itself, as a person starts it: `GANDER_TEST_SERVE` is its command. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

export interface Serving {
  readonly address: string;
  readonly process: ChildProcess;
}

/** @param folder where it may leave files @param options the model and anything else, as on its command line */
export async function startGanderServe(folder: string, token: string, ...options: readonly string[]): Promise<Serving> {
  const command = process.env['GANDER_TEST_SERVE'];
  if (!command) throw new Error('GANDER_TEST_SERVE is not set: run node scripts/test.mjs served');
  const tokenFile = path.join(folder, 'token');
  writeFileSync(tokenFile, token, { mode: 0o600 });
  const child = spawn(command, [...options, '--port', '0', '--token-file', tokenFile], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HF_HUB_OFFLINE: '1', HOME: path.join(folder, 'home') },
  });
  return { address: await addressOf(child), process: child };
}

/** Its address, which it prints once it listens. */
function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const hear = (data: Buffer) => {
      said += data.toString();
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(said);
      if (found) resolve(found[0]);
    };
    child.stdout!.on('data', hear);
    child.stderr!.on('data', hear);
    child.once('exit', (code) => {
      reject(new Error(`gander-serve ended with ${code}: ${said}`));
    });
  });
}
