import * as os from 'node:os';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { EngineClient, type EngineState } from '../engine/client.js';
import { type BundledModel, bundledModels } from '../product/bundled.js';
import { GanderError } from '../errors/errors.js';
import { ChildSource } from '../source/child.js';
import { FileSource, traceEnding } from '../source/file.js';
import { SourceRegistry } from '../source/registry.js';
import { LateSource } from '../source/late.js';
import type { EngineOptions } from '../requests/api.js';
import { type DeviceUse, deviceText, fallenBack, hasFallenBack } from '../requests/device.js';
import type { Methods } from '../requests/ask.js';
import type { Source } from '../source/source.js';
import { ReceivedPieces } from '../transport/received.js';
import { Servers } from './servers.js';
import { readSettings, section } from './settings.js';

/** Holds the source that the settings choose, and its engine; both are replaced when the settings change. */
export class EngineHost implements vscode.Disposable {
  readonly #stateChanged = new vscode.EventEmitter<EngineState>();
  readonly #poolChanged = new vscode.EventEmitter<void>();
  readonly #subscription: vscode.Disposable;
  readonly #sources = new SourceRegistry([
    { claims: (chosen) => chosen.endsWith(traceEnding), open: (file) => new FileSource(path.basename(file)) },
    { claims: (chosen) => chosen === this.address, open: (address) => new LateSource(() => this.#connect(address)) },
    { claims: () => true, open: () => new ChildSource(this.engine) },
  ]);
  #client: EngineClient | undefined;
  #source: Source | undefined;
  #unlisten = () => {};

  /** The pieces of what came from any engine, to be sent on to pages. */
  readonly received = new ReceivedPieces();
  readonly servers: Servers;
  readonly onDidChangeState = this.#stateChanged.event;
  /** What was known about the pool is no longer valid. */
  readonly onDidChangePool = this.#poolChanged.event;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.servers = new Servers(context, log, this.received);
    const decisive = [
      'pool',
      'engine.address',
      'threads',
      'device',
      'chunk',
      'idleSeconds',
      'engine.deadlineSeconds',
    ].map((name) => `${section}.${name}`);
    this.#subscription = vscode.workspace.onDidChangeConfiguration((event) => {
      if (decisive.some((name) => event.affectsConfiguration(name))) this.reload();
    });
  }

  /** The engine of a model on this machine, created when first asked for. Its process starts with the first request. */
  get engine(): EngineClient {
    if (this.address !== undefined) throw notHere(this.address);
    return this.#client ?? this.#adopt(this.#local(this.pool));
  }

  /** Another source than the one in use: a server that the person agreed to, or a folder on this machine. */
  another(chosen: string): Source & Methods {
    if (this.servers.find(chosen)) return new LateSource(() => this.servers.open(chosen));
    return new ChildSource(this.#local(chosen));
  }

  #local(folder: string): EngineClient {
    return new EngineClient({
      ...this.optionsFor(folder),
      idleMs: readSettings().idleSeconds * 1000,
      entry: this.context.asAbsolutePath(path.join('dist', 'engine.cjs')),
      received: this.received,
      log: (line) => this.log.debug(line),
    });
  }

  /** How the settings want a model on this machine to be run. */
  optionsFor(folder: string): Omit<EngineOptions, 'server'> & { readonly deadlineMs: number } {
    const { threads, device, chunk, deadlineSeconds } = readSettings();
    const storage = this.context.globalStorageUri;
    return {
      pool: folder,
      cache: storage.scheme === 'file' ? path.join(storage.fsPath, 'graphs') : path.join(os.tmpdir(), 'gander-graphs'),
      threads,
      device,
      chunk,
      deadlineMs: deadlineSeconds * 1000,
    };
  }

  #adopt(client: EngineClient): EngineClient {
    this.#client = client;
    const unlisten = [
      client.onStateChange((state) => {
        this.log.debug(`engine: ${state.name}`);
        if (state.name === 'failed') this.log.error(`${state.error.message} ${state.error.remedy}`);
        this.#stateChanged.fire(state);
      }),
      client.onDeviceChange((use) => {
        if (hasFallenBack(use)) this.log.warn(fallenBack(use).text);
        else this.log.info(`computed by ${deviceText(use)}`);
        this.#stateChanged.fire(client.state);
      }),
    ];
    this.#unlisten = () => unlisten.forEach((stop) => stop());
    return client;
  }

  async #connect(address: string): Promise<EngineClient> {
    const asked = this.#source;
    const client = await this.servers.open(address);
    if (this.#source === asked) return this.#adopt(client);
    client.dispose();
    throw new GanderError('cancelled', 'Another engine was chosen meanwhile.', 'Ask again.');
  }

  /** Where traces come from. */
  get source(): Source {
    return (this.#source ??= this.#sources.open(this.address ?? this.pool));
  }

  /** The address of the server, if a server is in use. */
  get address(): string | undefined {
    return readSettings().address || undefined;
  }

  /** What computes the model, once that is known. */
  get device(): DeviceUse | undefined {
    return this.#client?.device;
  }

  get state(): EngineState {
    return this.#client?.state ?? { name: 'stopped' };
  }

  /** Absolute folder of the pool, or of the mixture in its place. */
  get pool(): string {
    const { pool } = readSettings();
    // Bundled models are named, because their folder changes with each update.
    if (bundledModels.some(({ folder }) => folder === pool)) return this.#shipped(pool);
    return pool || this.bundledPool;
  }

  /** The folder of the pool that is used if nothing else is chosen. */
  get bundledPool(): string {
    return this.#shipped(bundledModels[0].folder);
  }

  /** All models that ship with the extension, with their absolute folders. */
  get bundled(): readonly (BundledModel & { readonly path: string })[] {
    return bundledModels.map((model) => ({ ...model, path: this.#shipped(model.folder) }));
  }

  #shipped(folder: string): string {
    return this.context.asAbsolutePath(path.join('models', folder));
  }

  /** Ends the engine and starts another at once, so that a problem shows now. */
  async restart(): Promise<void> {
    if (this.address === undefined) this.engine.restart();
    else this.#client?.restart();
    await this.source.describe();
    await this.#client?.info();
  }

  /** The settings or the pool's files changed: the next request gets a new engine. */
  reload(): void {
    this.#unlisten();
    this.#client?.dispose();
    this.#client = undefined;
    this.#source = undefined;
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

function notHere(address: string): GanderError {
  return new GanderError(
    'request-invalid',
    vscode.l10n.t('The model runs at {0}, and its experts are not on this machine.', address),
    vscode.l10n.t('Choose a pool.'),
  );
}
