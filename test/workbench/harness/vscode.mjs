// A real VS Code (server and Node extension host) on 127.0.0.1, and its workbench in Chromium.
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { findChromium } from '../../../scripts/lib/system.mjs';
import { slowdown, throttle } from './throttle.mjs';

/** User settings of a workbench that stays quiet: no agents, welcome page, update checks or tips. */
const quiet = {
  'chat.disableAIFeatures': true,
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'git.enabled': false,
  'remote.autoForwardPorts': false, // no notifications about other programs' ports
  'security.workspace.trust.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'window.commandCenter': false,
  'workbench.enableExperiments': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
};

/**
 * @typedef {object} ServerOptions
 * @property {string} vscode folder of the VS Code, from installVscodeWeb()
 * @property {string} [extensions] folder that installExtension() put extensions into; several servers may share it
 * @property {string} [link] folder of an unpacked extension to install unchanged
 * @property {boolean} [development] lets openWorkbench run extensions from source, and tests in the extension host. VS Code
 *   then shows no notifications (its smoke-test mode): leave it off to test what a person sees.
 * @property {boolean} [trust] workspace trust is on and a folder opens untrusted (Restricted Mode)
 * @property {Record<string, unknown>} [settings] user settings
 * @property {Record<string, string>} [env] for the extension host
 * @property {number} [port] default: any that is free
 * @property {boolean} [keep] leaves dataDir, whose data/logs has the logs of the extension host and each output channel
 */

/**
 * @typedef {object} Server
 * @property {string} url
 * @property {boolean} development
 * @property {string} dataDir
 * @property {number | undefined} pid of the process that everything else descends from
 * @property {() => string} log
 * @property {() => Promise<void>} stop
 */

// VS Code may itself be running these tests; its variables must not reach the one that is started.
const outer = /^(VSCODE_(?!TEST_)|ELECTRON_|CODE_SERVER|NODE_OPTIONS$|NODE_TEST_CONTEXT$|VITEST)/;

/** The environment for a VS Code with its sockets in a folder, and no marketplace. @param {string} dataDir @returns {NodeJS.ProcessEnv} */
function environment(dataDir) {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !outer.test(name)));
  return { ...clean, EXTENSIONS_GALLERY: '{}', XDG_RUNTIME_DIR: dataDir };
}

/** @param {string} vscode @param {string} dataDir */
const program = (vscode, dataDir) => [
  path.resolve(vscode, 'vscode/out/server-main.js'),
  ...['--server-data-dir', dataDir, '--accept-server-license-terms', '--telemetry-level', 'off'],
];

/**
 * Lets VS Code install a package into a folder of extensions, as a person would.
 * @param {string} vscode @param {string} vsix @param {string} extensions
 */
export async function installExtension(vscode, vsix, extensions) {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'vs-'));
  const args = ['--extensions-dir', extensions, '--install-extension', path.resolve(vsix)];
  try {
    await promisify(execFile)(path.resolve(vscode, 'node'), [...program(vscode, dataDir), ...args], {
      env: environment(dataDir),
    });
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/**
 * Starts VS Code's server with an empty data folder of its own. It ends when this process ends, for whatever reason.
 * @param {ServerOptions} options
 * @returns {Promise<Server>}
 */
export async function startServer(options) {
  const {
    vscode,
    extensions,
    link,
    development = false,
    trust = false,
    settings = {},
    env = {},
    port = 0,
    keep = false,
  } = options;
  const dataDir = mkdtempSync(path.join(tmpdir(), 'vs-')); // short, because paths of sockets are limited;
  mkdirSync(path.join(dataDir, 'data/User'), { recursive: true });
  const trusted = trust
    ? { 'security.workspace.trust.enabled': true, 'security.workspace.trust.startupPrompt': 'never' }
    : {};
  writeFileSync(path.join(dataDir, 'data/User/settings.json'), JSON.stringify({ ...quiet, ...trusted, ...settings }));
  // In a browser the extension host is remote, and reads machine settings from there.
  mkdirSync(path.join(dataDir, 'data/Machine'));
  writeFileSync(path.join(dataDir, 'data/Machine/settings.json'), JSON.stringify(settings));
  if (link) {
    mkdirSync(path.join(dataDir, 'extensions'));
    symlinkSync(path.resolve(link), path.join(dataDir, 'extensions/linked'));
  }
  const childEnv = { ...environment(dataDir), ...env };
  const node = path.resolve(vscode, 'node');
  const args = [...program(vscode, dataDir)];
  if (extensions) args.push('--extensions-dir', extensions);
  args.push('--host', '127.0.0.1', '--port', String(port), '--without-connection-token');
  // Browser and server are on one machine, so compression would only cost time, as on the desktop.
  args.push('--disable-websocket-compression');
  if (!trust) args.push('--disable-workspace-trust');
  // Without this a built VS Code ignores extensionDevelopmentPath and extensionTestsPath in the page's address.
  if (development) args.push('--enable-smoke-test-driver');
  const supervise = path.join(import.meta.dirname, 'supervise.mjs');
  const child = spawn(process.execPath, [supervise, keep ? '' : dataDir, node, ...args], {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: childEnv,
  });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const stop = async () => {
    child.stdin.end();
    await exited;
  };
  let log = '';
  /** @type {Promise<number>} */
  const listening = new Promise((resolve, reject) => {
    const fail = (/** @type {string} */ what) => () => reject(new Error(`VS Code's server ${what}:\n${log}`));
    const timer = setTimeout(fail('did not start'), 180_000 * slowdown);
    const take = (/** @type {string} */ text) => {
      log += text;
      const found = /Extension host agent listening on (\d+)/.exec(log);
      if (!found) return;
      clearTimeout(timer);
      resolve(Number(found[1]));
    };
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', take);
    child.once('exit', () => {
      clearTimeout(timer);
      fail('ended')();
    });
  });
  try {
    const url = `http://127.0.0.1:${await listening}/`;
    return { url, development, dataDir, pid: child.pid, log: () => log, stop };
  } catch (e) {
    await stop();
    throw e;
  }
}

/**
 * The address that opens a folder in the workbench.
 * @param {Pick<Server, 'url'>} server @param {string} folder @param {string[][]} [payload]
 */
export function address(server, folder, payload = []) {
  const query = { folder: path.resolve(folder), payload: JSON.stringify([['skipWelcome', 'true'], ...payload]) };
  return `${server.url}?${new URLSearchParams(query).toString()}`;
}

/** How to start Chromium for windows that nobody sees. @returns {import('playwright-core').LaunchOptions} */
export function browserOptions() {
  const executablePath = findChromium();
  if (!executablePath) throw new Error('no Chromium; `npm test` installs it or says how');
  return {
    executablePath,
    headless: true,
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1', // loopback only
    ],
  };
}

/** @param {import('playwright-core').LaunchOptions} [options] */
export const launchBrowser = (options = {}) => chromium.launch({ ...browserOptions(), ...options });

/**
 * @typedef {object} WorkbenchOptions
 * @property {string} folder
 * @property {string[]} [extensions] folders of extensions to run from source; their engines.vscode must be a version
 * @property {string} [tests] CommonJS module with run(), for the extension host
 * @property {{ width: number, height: number }} [viewport]
 * @property {number} [zoom] device pixels per CSS pixel
 * @property {string} [language] of the window; VS Code's own words stay English, because it contains no other language
 * @property {(type: string, text: string) => void} [onConsole]
 * @property {(type: string, args: string[]) => void} [onLog] gets the logs of the workbench and the extension host, in tests
 */

/**
 * Opens a folder in the workbench, in a fresh browser profile. `exitCode` is 0 if the tests' run() resolved.
 * @param {import('playwright-core').Browser} browser @param {Pick<Server, 'url' | 'development'>} server
 * @param {WorkbenchOptions} options
 */
export async function openWorkbench(browser, server, options) {
  const {
    folder,
    extensions = [],
    tests,
    viewport = { width: 1280, height: 800 },
    language,
    zoom = 1,
    onConsole,
    onLog,
  } = options;
  if ((extensions.length || tests) && !server.development) throw new Error('start the server with development: true');
  const context = await browser.newContext({
    viewport,
    deviceScaleFactor: zoom,
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const page = await context.newPage();
  await throttle(page);
  // Where a language pack would set it.
  if (language)
    await page.addInitScript((l) => {
      Object.defineProperty(globalThis, '_VSCODE_NLS_LANGUAGE', { get: () => l, set: () => {} });
    }, language);
  if (onConsole) page.on('console', (m) => onConsole(m.type(), m.text()));
  /** @type {Promise<number>} */
  const exitCode = new Promise((resolve, reject) => {
    page.once('close', () => reject(new Error('the page closed')));
    page.once('crash', () => reject(new Error('the page crashed')));
    // VS Code calls these two by name.
    page.exposeFunction('codeAutomationExit', resolve).catch(reject);
  });
  exitCode.catch(() => {}); // nobody may wait for it
  await page.exposeFunction('codeAutomationLog', (/** @type {string} */ type, /** @type {string[]} */ args) =>
    onLog?.(type, args),
  );
  const remote = (/** @type {string} */ p) => `vscode-remote://${new URL(server.url).host}${path.resolve(p)}`;
  const payload = extensions.map((e) => ['extensionDevelopmentPath', remote(e)]);
  if (tests) payload.push(['extensionTestsPath', remote(tests)]);
  await page.goto(address(server, folder, payload), { timeout: 180_000 * slowdown });
  await page.waitForSelector('.monaco-workbench', { timeout: 180_000 * slowdown });
  return Object.assign(page, { exitCode });
}
