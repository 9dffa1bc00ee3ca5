import * as vscode from 'vscode';
import { writtenTokens } from '../checks/limits.js';
import { serverAddress } from '../source/serverAddress.js';
import type { SourceDescription } from '../requests/description.js';
import { type Device, isDevice } from '../requests/device.js';
import { type Strategy, strategyOf, usualStrategy } from '../strategies/index.js';
import { presentStrategy } from '../trace/file/renamed.js';

export interface GanderSettings {
  /** An absolute folder, the name of a bundled model, or empty for the bundled pool. */
  readonly pool: string;
  /** The address of a server instead of the pool, or empty. */
  readonly address: string;
  readonly strategy: string;
  /** 0: the model's own. */
  readonly expertsPerToken: number;
  readonly threads: number;
  readonly device: Device;
  readonly chunk: number;
  readonly decorations: boolean;
  /** The most tokens that an encoder-decoder writes. */
  readonly outputTokens: number;
  readonly idleSeconds: number;
  readonly deadlineSeconds: number;
}

export const section = 'gander';

/** In an untrusted workspace, VS Code ignores the workspace's values of restricted settings. */
export function readSettings(): GanderSettings {
  const of = vscode.workspace.getConfiguration(section);
  return {
    pool: of.get('pool', '').trim(),
    address: addressOf(of.get('engine.address', '')),
    strategy: presentStrategy(of.get('strategy', 'phatgoose')),
    expertsPerToken: of.get('expertsPerToken', 0),
    threads: of.get('threads', 0),
    device: deviceOf(of.get('device', 'auto')),
    chunk: of.get('chunk', 128),
    decorations: of.get('decorations', true),
    outputTokens: of.get('outputTokens', writtenTokens),
    idleSeconds: of.get('idleSeconds', 300),
    deadlineSeconds: of.get('engine.deadlineSeconds', 120),
  };
}

/** What is no device means none in particular. */
function deviceOf(written: string): Device {
  return isDevice(written) ? written : 'auto';
}

/** An invalid address is kept as it is, for the error that says so. */
function addressOf(written: string): string {
  try {
    return written.trim() === '' ? '' : serverAddress(written);
  } catch {
    return written.trim();
  }
}

/** The strategy in the settings, while it is not known yet what the source offers. */
export function wantedStrategy(): Strategy {
  return { name: readSettings().strategy };
}

/** The strategy in the settings if the source offers it, or else the usual one of those that it offers. */
export function preferredStrategy({ can, limits, experts }: SourceDescription): Strategy {
  const { strategy, expertsPerToken } = readSettings();
  const offered = can.strategies.map(({ name }) => name);
  const name = offered.includes(strategy) ? strategy : usualStrategy(offered);
  return strategyOf(name, {
    k: Math.min(expertsPerToken || (limits.k ?? 1), Math.max(1, limits.mostK ?? experts.length)),
    expert: experts[0]?.id ?? '',
  });
}
