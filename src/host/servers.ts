import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import type { ServerAccess, ServerInfo } from '../requests/api.js';
import type { EngineClient } from '../engine/client.js';
import { remoteClient } from '../engine/remote.js';
import { GanderError } from '../errors/errors.js';
import { importLimits } from '../checks/limits.js';
import type { ReceivedPieces } from '../transport/received.js';
import { readSettings } from './settings.js';

/** A server that the person has agreed to send text to. */
export interface KnownServer {
  readonly address: string;
  /** Its model's, when it was connected. */
  readonly name: string;
  readonly engine: ServerInfo['engine'];
  /** Absolute path of the model's config.json. */
  readonly config?: string;
}

const key = 'gander.servers';

/** The servers that the person has connected to, the latest first, each with its own token. */
export class Servers {
  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
    private readonly received: ReceivedPieces,
  ) {}

  get known(): readonly KnownServer[] {
    return this.context.globalState.get<readonly KnownServer[]>(key, []);
  }

  find(address: string): KnownServer | undefined {
    return this.known.find((server) => server.address === address);
  }

  /** From now on, text may be sent there. */
  async remember(server: KnownServer, token: string | undefined): Promise<void> {
    if (token === undefined) await this.context.secrets.delete(tokenKey(server.address));
    else await this.context.secrets.store(tokenKey(server.address), token);
    await this.#keep([server, ...this.known.filter(({ address }) => address !== server.address)]);
  }

  async forget(forgotten: string): Promise<void> {
    await this.context.secrets.delete(tokenKey(forgotten));
    await this.#keep(this.known.filter(({ address }) => address !== forgotten));
  }

  token(address: string): Thenable<string | undefined> {
    return this.context.secrets.get(tokenKey(address));
  }

  /** A client that may send text to an address. @throws GanderError `server-refused` if the person has not agreed to that */
  async open(address: string): Promise<EngineClient> {
    return this.#client(address, await this.access(address));
  }

  /** A client for asking what is at an address, before text may be sent there. */
  async client(address: string, token: string | undefined, config?: string): Promise<EngineClient> {
    return this.#client(address, await accessBy(token, config));
  }

  /** What it takes to send text to an address. @throws GanderError as `open` */
  async access(address: string): Promise<ServerAccess> {
    const server = this.find(address);
    if (server) return accessBy(await this.token(address), server.config);
    throw new GanderError(
      'server-refused',
      vscode.l10n.t('Nothing was sent to {0}: you have not agreed to send text there.', address),
      vscode.l10n.t('Connect to it first, or choose a model on this machine (Choose Model…).'),
    );
  }

  #client(address: string, access: ServerAccess): EngineClient {
    return remoteClient({
      address,
      access,
      entry: this.context.asAbsolutePath(path.join('dist', 'remote.cjs')),
      patienceMs: 1000 * readSettings().deadlineSeconds,
      received: this.received,
      log: (line) => this.log.debug(line),
    });
  }

  async #keep(servers: readonly KnownServer[]): Promise<void> {
    await this.context.globalState.update(key, servers);
  }
}

const tokenKey = (address: string) => `gander.token ${address}`;

async function accessBy(token: string | undefined, config: string | undefined): Promise<ServerAccess> {
  return {
    ...(token !== undefined && { token }),
    ...(config !== undefined && { config: await readConfig(config) }),
  };
}

async function readConfig(file: string): Promise<Uint8Array> {
  try {
    if ((await stat(file)).size <= importLimits.config) return await readFile(file);
  } catch (cause) {
    throw odd(file, cause);
  }
  throw odd(file);
}

function odd(file: string, cause?: unknown): GanderError {
  return new GanderError(
    'request-invalid',
    vscode.l10n.t('{0} cannot be read as a model’s config.json.', file),
    vscode.l10n.t('Connect to the engine again and choose another file.'),
    { cause },
  );
}
