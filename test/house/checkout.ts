// A small checkout to break: the real tooling around an extension of a few lines.
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export const root = path.resolve(import.meta.dirname, '../..');

const extension = `
import * as vscode from 'vscode';
export function activate(context: vscode.ExtensionContext): void {
  context.subscriptions.push(vscode.commands.registerCommand('gander.answer', () => 42));
}
`;

const tooling = [
  ...['package.json', 'package-lock.json', '.npmrc', 'tsconfig.json', 'esbuild.mjs', 'eslint.config.mjs'],
  ...['.prettierrc.json', '.prettierignore', 'vitest.config.ts', 'scripts', 'samples'],
  ...[
    'test/tsconfig.json',
    'test/workbench/harness',
    'test/webview/html.mjs',
    'bench/tsconfig.json',
    'evaluate/tsconfig.json',
    'fuzz/tsconfig.json',
    'webview/tsconfig.json',
    'src/errors/errors.ts',
  ],
];

export class Checkout {
  readonly dir = mkdtempSync(path.join(tmpdir(), 'co-'));
  readonly #runs: Run[] = [];

  constructor({ installed = true } = {}) {
    for (const file of tooling) this.take(file);
    if (installed) symlinkSync(path.join(root, 'node_modules'), path.join(this.dir, 'node_modules'), 'junction');
    this.write('src/extension.ts', extension.trimStart());
    this.write('webview/main.ts', 'document.title = "";\n'.replaceAll('"', "'"));
    for (const room of ['bench', 'evaluate', 'fuzz']) this.write(`${room}/main.ts`, 'export {};\n');
    this.write('src/cli/main.ts', 'console.log(JSON.stringify(process.argv.slice(2)));\n');
    this.write('package.json', manifest);
  }

  write(file: string, text: string): void {
    mkdirSync(path.dirname(path.join(this.dir, file)), { recursive: true });
    writeFileSync(path.join(this.dir, file), text);
  }

  /** Copies a file or folder from the repository. */
  take(file: string): void {
    cpSync(path.join(root, file), path.join(this.dir, file), { recursive: true });
  }

  remove(): void {
    for (const { child } of this.#runs) if (child.exitCode === null) child.kill(); // left by a failed test
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }

  spawn(script: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Run {
    const run = new Run(
      spawn(process.execPath, [path.join(this.dir, 'scripts', script), ...args], {
        cwd: this.dir,
        env: { ...plain(), ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
    this.#runs.push(run);
    return run;
  }

  run(
    script: string,
    args: readonly string[] = [],
    env: NodeJS.ProcessEnv = {},
  ): Promise<{ code: number; text: string }> {
    return this.spawn(script, args, env).end;
  }
}

/** A running program, with all its output so far. */
export class Run {
  text = '';
  readonly end: Promise<{ code: number; text: string }>;

  constructor(readonly child: ChildProcess) {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (part: string) => (this.text += part));
    }
    this.end = new Promise((resolve) => child.once('close', (code) => resolve({ code: code ?? -1, text: this.text })));
  }

  /** Waits until its output matches. */
  async wrote(pattern: RegExp, seconds = 250): Promise<string> {
    for (const end = Date.now() + seconds * 1000; Date.now() < end; await new Promise((r) => setTimeout(r, 100))) {
      const found = pattern.exec(this.text);
      if (found) return found[1] ?? found[0];
      if (this.child.exitCode !== null) break;
    }
    throw new Error(`it did not write ${pattern.source}:\n${this.text}`);
  }
}

/** The environment without the test runner's additions. */
const plain = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_ENV$|NODE_OPTIONS$|GANDER_)/.test(name)),
  );

const { dependencies, devDependencies, overrides } = JSON.parse(
  readFileSync(path.join(root, 'package.json'), 'utf8'),
) as Record<string, unknown>;

const manifest = `${JSON.stringify(
  {
    name: 'gander',
    publisher: 'gander',
    version: '0.0.1',
    type: 'module',
    engines: { vscode: '^1.100.0' },
    main: './dist/extension.cjs',
    activationEvents: [],
    contributes: { commands: [{ command: 'gander.answer', title: 'Answer' }] },
    dependencies,
    devDependencies,
    overrides,
  },
  null,
  2,
)}\n`;
