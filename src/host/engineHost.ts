import * as os from 'node:os';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { EngineClient, type EngineState } from '../engine/client.js';
import { readSettings, section } from './settings.js';

/** Where the pool that ships with the extension is. */
const bundled = path.join('models', 'smollm2-135m');

/** Holds the one engine that the settings describe; another pool means another engine. */
export class EngineHost implements vscode.Disposable {
  readonly #stateChanged = new vscode.EventEmitter<EngineState>();
  readonly #poolChanged = new vscode.EventEmitter<void>();
  readonly #subscription: vscode.Disposable;
  #client: EngineClient | undefined;
  #unlisten = () => {};

  readonly onDidChangeState = this.#stateChanged.event;
  /** What is known of the pool is void. */
  readonly onDidChangePool = this.#poolChanged.event;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
  ) {
    const decisive = ['pool', 'threads', 'chunk', 'idleSeconds', 'engine.deadlineSeconds'].map(
      (name) => `${section}.${name}`,
    );
    this.#subscription = vscode.workspace.onDidChangeConfiguration((event) => {
      if (decisive.some((name) => event.affectsConfiguration(name))) this.reload();
    });
  }

  /** Made when first asked for. The child itself starts with the first request. */
  get engine(): EngineClient {
    if (this.#client) return this.#client;
    const { threads, chunk, idleSeconds, deadlineSeconds } = readSettings();
    const storage = this.context.globalStorageUri;
    const client = new EngineClient({
      pool: this.pool,
      cache: storage.scheme === 'file' ? path.join(storage.fsPath, 'graphs') : path.join(os.tmpdir(), 'gander-graphs'),
      threads,
      chunk,
      idleMs: idleSeconds * 1000,
      deadlineMs: deadlineSeconds * 1000,
      entry: this.context.asAbsolutePath(path.join('dist', 'engine.cjs')),
      log: (line) => this.log.debug(line),
    });
    this.#client = client;
    this.#unlisten = client.onStateChange((state) => {
      this.log.debug(`engine: ${state.name}`);
      if (state.name === 'failed') this.log.error(`${state.error.message} ${state.error.remedy}`);
      this.#stateChanged.fire(state);
    });
    return client;
  }

  get state(): EngineState {
    return this.#client?.state ?? { name: 'stopped' };
  }

  /** Absolute folder of the pool in use. */
  get pool(): string {
    return readSettings().pool || this.bundledPool;
  }

  get bundledPool(): string {
    return this.context.asAbsolutePath(bundled);
  }

  restart(): void {
    this.engine.restart();
  }

  /** The settings or the pool's files changed: the next request gets a new engine. */
  reload(): void {
    this.#unlisten();
    this.#client?.dispose();
    this.#client = undefined;
    this.#stateChanged.fire(this.state);
    this.#poolChanged.fire();
  }

  dispose(): void {
    this.#unlisten();
    this.#client?.dispose();
    this.#subscription.dispose();
    this.#stateChanged.dispose();
    this.#poolChanged.dispose();
  }
}
