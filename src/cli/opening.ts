/** What a command runs: a pool or a model on this machine, or a server. Each is opened once, and closed when the command ends. */
import path from 'node:path';
import type { EngineOptions, ServerAccess } from '../requests/api.js';
import { type Device, type DeviceUse, devices, isDevice } from '../requests/device.js';
import type { Engine } from '../requests/ask.js';
import { EngineClient } from '../engine/client.js';
import { remoteClient } from '../engine/remote.js';
import { importLimits } from '../checks/limits.js';
import { encryptionWarnings, isServerAddress, serverAddress } from '../source/serverAddress.js';
import type { Warning } from '../requests/description.js';
import type { Arguments, Opened } from './command.js';
import { readBytes } from './input.js';
import { bundledPool, namedModel } from './models/shipped.js';
import { cacheFolder } from './paths.js';
import { UsageError } from './usage.js';
import { parseCount, parseNumber } from './words.js';

/** Tokens between two checks whether to stop. */
const chunk = 128;

/** The longest time of a timer. Seconds. */
const longestDeadline = 2_000_000;

export interface Telling {
  /** Called before anything is sent to a server. */
  readonly beforehand: (warnings: readonly Warning[]) => void;
  readonly opened: (opened: Opened) => void;
  /** Called when it is known what computes a model on this machine, and when that changes. */
  readonly computes: (use: DeviceUse) => void;
}

export class Opening {
  readonly #engines = new Set<Engine>();
  #first: Promise<Opened> | undefined;
  #heeds = false;

  constructor(
    private readonly args: Arguments,
    private readonly stop: AbortController,
    private readonly tell: Telling,
  ) {
    const chosen = ['model', 'pool', 'engine'].filter((name) => args.text(name) !== undefined);
    if (chosen.length > 1) throw new UsageError(`Give ${chosen.map((name) => `--${name}`).join(' or ')}, not both.`);
  }

  open(folder?: string): Promise<Opened> {
    const address = this.args.text('engine');
    if (this.args.text('config') !== undefined && address === undefined)
      throw new UsageError('--config is for --engine: it is the config.json of the server’s model.');
    if (this.#first) return this.#first;
    const first = this.#start(() =>
      address === undefined ? this.#child(this.#options(folder)) : this.#server(address, 'GANDER_ENGINE_TOKEN'),
    );
    this.#first = first;
    // A failure is not remembered: a command that goes on may find the model repaired.
    first.catch(() => (this.#first = undefined));
    return first;
  }

  openHere(): Promise<Opened> {
    return (this.#first ??= this.#start(() => inThisProcess(this.#options())));
  }

  openOther(chosen: string): Promise<Opened> {
    return this.#start(() =>
      // A token is for one server; another has its own.
      isServerAddress(chosen) ? this.#server(chosen, 'GANDER_WITH_ENGINE_TOKEN') : this.#child(this.#options(chosen)),
    );
  }

  dispose(): void {
    for (const engine of this.#engines) engine.dispose();
  }

  async #start(make: () => Engine | Promise<Engine>): Promise<Opened> {
    // Once, so that a second Ctrl+C ends the process at once, as usual.
    if (!this.#heeds) process.once('SIGINT', () => this.stop.abort());
    this.#heeds = true;
    const engine = await make();
    this.#engines.add(engine);
    try {
      const opened = { engine, model: await engine.info(undefined, { signal: this.stop.signal }) };
      this.tell.opened(opened);
      return opened;
    } catch (thrown) {
      this.#engines.delete(engine);
      engine.dispose();
      throw thrown;
    }
  }

  #options(named = this.args.text('model') ?? this.args.text('pool')): EngineOptions {
    const folder = named === undefined ? bundledPool(__dirname) : namedModel(__dirname, named);
    const threads = this.args.text('threads');
    return {
      pool: path.resolve(folder),
      cache: path.resolve(this.args.text('cache') ?? cacheFolder()),
      threads: threads === undefined ? 0 : parseCount(threads, '--threads'),
      chunk,
      device: this.#device(),
      // Only inspect has this option.
      tryAgain: this.args.flag('try-again'),
    };
  }

  #child(options: EngineOptions): Engine {
    const entry = path.join(__dirname, 'engine.cjs');
    const client = new EngineClient({ ...options, entry, deadlineMs: this.#deadlineMs() });
    client.onDeviceChange(this.tell.computes);
    return client;
  }

  #server(typed: string, variable: string): Engine {
    const token = process.env[variable]?.trim();
    const config = variable === 'GANDER_ENGINE_TOKEN' ? this.args.text('config') : undefined;
    const access: ServerAccess = {
      ...(token && { token }),
      ...(config !== undefined && { config: readBytes(config, importLimits.config) }),
    };
    const entry = path.join(__dirname, 'remote.cjs');
    const address = serverAddress(typed);
    this.tell.beforehand(encryptionWarnings(address));
    return remoteClient({ address, access, entry, patienceMs: this.#deadlineMs() });
  }

  #device(): Device {
    const device = this.args.text('device') ?? 'auto';
    if (isDevice(device)) return device;
    throw new UsageError(`--device is "${device}"; it must be one of ${devices.join(', ')}.`);
  }

  #deadlineMs(): number {
    const deadline = this.args.text('deadline');
    const seconds = deadline === undefined ? 120 : parseNumber(deadline, '--deadline');
    if (seconds < 0 || seconds > longestDeadline)
      throw new UsageError(`--deadline is ${deadline}; it must be from 0 to ${longestDeadline}.`);
    return 1000 * seconds;
  }
}

async function inThisProcess(options: EngineOptions): Promise<Engine> {
  // Imported only here, because nothing else needs the native modules in this process.
  const { createEngine } = await import('../engine/local.js');
  return createEngine(options);
}
