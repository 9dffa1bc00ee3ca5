import * as vscode from 'vscode';
import type { Colours } from '../host/colours.js';
import type { EngineHost } from '../host/engineHost.js';
import { readSettings } from '../host/settings.js';
import { whatIfsOf } from '../host/whatIfs.js';
import { counted, warningCount, word } from '../host/words.js';
import type { Routed, RoutingStore } from '../routing/store.js';
import { deviceText } from '../requests/device.js';
import type { SourceDescription } from '../requests/description.js';
import { drawnBy } from './underlines.js';

/** How many of a source's warnings the tooltip shows; the tree shows all. */
const mostWarnings = 5;

/** The range on show. */
interface OnShow {
  readonly routed: Routed | undefined;
  readonly onDidChangeTreeData: vscode.Event<unknown>;
}

/** The model, the engine's state and what is special about the run on show; a click offers actions. */
export class StatusBar implements vscode.Disposable {
  readonly #item = vscode.window.createStatusBarItem('gander.status', vscode.StatusBarAlignment.Right, 90);
  readonly #subscriptions: vscode.Disposable[];
  #source: SourceDescription | undefined;

  constructor(
    private readonly engines: EngineHost,
    private readonly store: RoutingStore,
    private readonly colours: Colours,
    private readonly onShow: OnShow,
  ) {
    this.#item.name = vscode.l10n.t('Gander');
    this.#item.command = 'gander.showActions';
    this.#subscriptions = [
      engines.onDidChangeState(() => this.#draw()),
      engines.onDidChangePool(() => this.show(undefined)),
      colours.onDidChange(() => this.#draw()),
      colours.onDidOverlay(() => this.#draw()),
      onShow.onDidChangeTreeData(() => this.#draw()),
      new vscode.Disposable(store.onChange(({ kind }) => (kind === 'result' || kind === 'running') && this.#draw())),
    ];
    this.#draw();
    this.#item.show();
  }

  show(source: SourceDescription | undefined): void {
    this.#source = source;
    this.#draw();
  }

  dispose(): void {
    vscode.Disposable.from(this.#item, ...this.#subscriptions).dispose();
  }

  #draw(): void {
    const name = this.#source?.name ?? vscode.l10n.t('Gander');
    const warnings = this.#source?.warnings ?? [];
    const { icon, words: state, broken } = this.#state();
    const warned = warnings.length > 0;
    const words = warned ? `${state}, ${warningCount({ warnings })}` : state;
    const colour = this.#colour();
    const whatIfs = this.#whatIfs();
    const changed = whatIfs.length > 0 ? [counted('withWhatIfs', whatIfs.length)] : [];
    this.#item.text = `$(${icon}) ${[name, ...changed, ...(colour ? [colour] : [])].join(' · ')}${warned ? ' $(warning)' : ''}`;
    const told = warnings.slice(0, mostWarnings).map(({ text }) => text);
    const { address, device } = this.engines;
    const computed = device ? [vscode.l10n.t('Computed by {0}', deviceText(device))] : [];
    const sent = address === undefined ? [] : [vscode.l10n.t('Text goes to {0}', address)];
    const asked = whatIfs.length > 0 ? [`${word('whatIfNow')} ${whatIfs.join(', ')}`] : [];
    const coloured = colour ? [vscode.l10n.t('Text coloured by: {0}', colour)] : [];
    this.#item.tooltip = [`${name}: ${words}`, ...computed, ...sent, ...asked, ...coloured, ...told].join('\n');
    const read = [words, ...changed].join(', ');
    this.#item.accessibilityInformation = {
      label:
        address === undefined
          ? vscode.l10n.t('Gander, {0}: {1}', name, read)
          : vscode.l10n.t('Gander, {0}, text goes to {1}: {2}', name, address, read),
      role: 'button',
    };
    this.#item.backgroundColor = broken ? new vscode.ThemeColor('statusBarItem.errorBackground') : undefined;
  }

  /** The panel may be hidden, and what is underlined looks like any other run. */
  #whatIfs(): string[] {
    const { routed } = this.onShow;
    return routed ? whatIfsOf(routed.main) : [];
  }

  /** An editor has no legend, so the status bar says what its colours mean. */
  #colour(): string | undefined {
    const { routed } = this.onShow;
    return routed?.main.trace && readSettings().decorations ? drawnBy(routed, this.colours) : undefined;
  }

  #state(): { readonly icon: string; readonly words: string; readonly broken?: boolean } {
    const running = this.store.latest?.main.running;
    const { state } = this.engines;
    const still = this.engines.address === undefined ? 'type-hierarchy' : 'remote';
    switch (state.name) {
      case 'failed':
        return { icon: 'error', words: `${state.error.message} ${state.error.remedy}`, broken: true };
      case 'starting':
        // The panel or a notification shows the progress of a run, so nothing else needs to move.
        return { icon: running ? still : 'loading~spin', words: vscode.l10n.t('loading') };
      case 'stopped':
        return this.engines.address === undefined
          ? { icon: 'circle-outline', words: vscode.l10n.t('not started; it starts when it is needed') }
          : { icon: 'remote', words: vscode.l10n.t('not contacted; it is contacted when it is needed') };
      case 'ready':
        return state.busy
          ? { icon: running ? still : 'sync', words: vscode.l10n.t('running') }
          : { icon: still, words: vscode.l10n.t('ready') };
    }
  }
}
