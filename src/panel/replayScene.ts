import * as vscode from 'vscode';
import { GanderError } from '../errors/errors.js';
import type { PageMessage, Side, SideState } from '../protocol/panel.js';
import type { SourceDescription, Warning } from '../requests/description.js';
import { translated } from '../host/description.js';
import { FileSource, sideOfFile } from '../source/file.js';
import type { Trace } from '../trace/model/trace.js';
import { saveDrawn, saveTrace } from './save.js';
import type { Scene } from './scene.js';

export interface NamedTrace {
  readonly name: string;
  readonly trace: Trace;
  /** Warnings about how it was read. */
  readonly warnings: readonly Warning[];
}

/** A trace file, or two beside each other: shown, never run. */
export class ReplayScene implements Scene {
  readonly received = undefined;
  readonly #sides: Partial<Record<Side, SideState>>;
  readonly #listeners = new Set<() => void>();
  readonly #warnings: readonly Warning[];

  constructor(main: NamedTrace, other?: NamedTrace) {
    this.#warnings = main.warnings;
    this.#sides = {
      main: sideOfFile(main.name, main.trace),
      ...(other && { other: sideOfFile(other.name, other.trace) }),
    };
  }

  async describe(): Promise<SourceDescription> {
    const described = await new FileSource(this.#sides.main!.title).describe();
    return translated({ ...described, warnings: this.#warnings });
  }

  get trace(): Trace | undefined {
    return this.#sides.main?.trace;
  }

  compare(other: NamedTrace | undefined): void {
    if (other) this.#sides.other = sideOfFile(other.name, other.trace);
    else delete this.#sides.other;
    for (const listener of this.#listeners) listener();
  }

  side(side: Side): SideState | undefined {
    return this.#sides[side];
  }

  /** VS Code restores a custom editor from its file. */
  memory(): undefined {
    return undefined;
  }

  /** There is no document behind it. */
  isTextVisible(): boolean {
    return false;
  }

  lines(): undefined {
    return undefined;
  }

  visible(): undefined {
    return undefined;
  }

  colour(): undefined {
    return undefined;
  }

  token(): undefined {
    return undefined;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async handle(message: Parameters<Scene['handle']>[0]): Promise<unknown> {
    const { main } = this.#sides;
    switch (message.type) {
      // There is no document behind it.
      case 'select':
      case 'reveal':
      case 'again':
      case 'firstPart':
      case 'colour':
      case 'overlay':
      case 'stop':
        return;
      case 'closeCompare':
        this.compare(undefined);
        return;
      case 'save':
        return this.#save(message, main!);
      case 'route':
      case 'attribute':
      case 'lens':
      case 'generate':
      case 'insert':
      case 'compare':
      case 'pin':
      case 'history':
      case 'openCard':
      case 'ask':
        throw new GanderError(
          'request-invalid',
          vscode.l10n.t('This is a trace file: nothing can be run in it.'),
          vscode.l10n.t('Route its text in an editor instead.'),
        );
    }
  }

  async #save(message: Extract<PageMessage, { type: 'save' }>, { title, trace }: SideState): Promise<void> {
    const name = title.replace(/\.gander\.safetensors$/, '');
    if (message.kind === 'trace') await saveTrace(trace!, name);
    else await saveDrawn(message, name);
  }
}
