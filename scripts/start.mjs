// npm start: Gander on a sample text, in the desktop VS Code if there is one, otherwise in VS Code in a browser.
// npm start -- --text "...": the same in the terminal.
import { copyFileSync, cpSync, existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { atEnd, endGroup, main, Remedy, root, say, temporary } from './lib/main.mjs';
import { askedPort } from './lib/port.mjs';
import { which } from './lib/system.mjs';
import { build, setup } from './setup.mjs';

const samples = path.join(root, 'samples');

/**
 * A folder with this extension, changed so that it is activated with the window; as shipped it is only activated on use.
 */
function awake() {
  const dir = temporary();
  for (const name of readdirSync(root)) {
    if (name === 'dist') {
      // VS Code identifies the calling extension by the real path of its code, so a link would not work.
      cpSync(path.join(root, name), path.join(dir, name), { recursive: true });
    } else if (/^(media|models|atlases|l10n|node_modules)$/.test(name)) {
      symlinkSync(path.join(root, name), path.join(dir, name), 'junction');
    } else if (/^package\.nls.*\.json$/.test(name)) {
      copyFileSync(path.join(root, name), path.join(dir, name));
    }
  }
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const activationEvents = [...(manifest.activationEvents ?? []), 'onStartupFinished'];
  writeFileSync(path.join(dir, 'package.json'), JSON.stringify({ ...manifest, activationEvents }));
  return dir;
}

/** @param {string[]} args */
async function terminal(args) {
  const cli = path.join(root, 'dist/cli.cjs');
  const child = spawn(process.execPath, [cli, 'route', ...args], { stdio: 'inherit' });
  atEnd(() => void child.kill('SIGTERM'));
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

/** @param {string} code */
async function desktop(code) {
  // With its own data folder: a VS Code that is already running would open the window itself, without our environment.
  const cache = process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache');
  const data = path.join(cache, 'gander/code');
  say('Opening VS Code; this command ends when its window is closed.');
  const args = ['--new-window', '--wait', '--disable-workspace-trust', '--skip-welcome', `--user-data-dir=${data}`];
  const child = spawn(code, [...args, `--extensionDevelopmentPath=${awake()}`, samples], {
    stdio: 'inherit',
    env: { ...process.env, GANDER_START: '1' },
    detached: process.platform !== 'win32',
    shell: process.platform === 'win32',
  });
  atEnd(() => endGroup(child));
  return new Promise((resolve, reject) => {
    child.once('error', () => reject(new Remedy(`${code} does not start; set GANDER_CODE to VS Code's path`)));
    child.once('exit', (status) => resolve(status ?? 1));
  });
}

async function browser() {
  const port = (await askedPort()) ?? 0;
  const { installVscodeWeb } = await import('./lib/vscode-web.mjs');
  const { address, startServer } = await import('../test/workbench/harness/vscode.mjs');
  const server = await startServer({
    vscode: await installVscodeWeb(),
    link: awake(),
    port,
    env: { GANDER_START: '1' },
  });
  atEnd(() => server.stop());
  say('\nNo desktop VS Code found (GANDER_CODE can name one). Open this in a browser; Ctrl-C stops it:\n');
  console.log(`  ${address(server, samples)}\n`);
  return new Promise(() => {}); // until interrupted
}

await main(async () => {
  const args = process.argv.slice(2);
  await setup();
  await build();
  if (args.length) return terminal(args);
  const code = process.env['GANDER_CODE'] ?? which('code');
  if (code && !existsSync(code))
    throw new Remedy(`GANDER_CODE is ${code}, which does not exist; set it to VS Code's path`);
  return code ? desktop(code) : browser();
});
