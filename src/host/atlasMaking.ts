import { rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as vscode from 'vscode';
import type { About, CorpusAbout } from '../atlas/about.js';
import type { CorpusRequest, MakingCalls, ModelChoice, Plan } from '../atlas/calls.js';
import type { Pace } from '../atlas/pace.js';
import { holding } from '../files/hold.js';
import { folderEnding } from '../atlas/place.js';
import type { OptionsOf } from '../channel/messages.js';
import { GanderError } from '../errors/errors.js';
import { isServerAddress } from '../source/serverAddress.js';
import type { Strategy } from '../strategies/strategy.js';
import { duration } from '../words/duration.js';
import type { Atlases } from './atlases.js';
import type { EngineHost } from './engineHost.js';
import { report } from './notify.js';
import { numbers } from './numbers.js';

/** Everything that a run must be given again to continue. */
export interface AskedCorpus {
  /** Absolute files and folders. */
  readonly given: readonly string[];
  readonly corpus: CorpusAbout;
  /** Folder of the model, or the address of its server. */
  readonly model: string;
  /** Absent if the model uses its own router. */
  readonly strategy?: Strategy;
}

export interface AskedAtlas extends AskedCorpus {
  /** The folder to write. */
  readonly target: string;
}

/** An atlas that is in the making, or was begun and can be continued. */
export interface UnfinishedAtlas {
  readonly asked: AskedAtlas;
  readonly title: string;
  readonly isRunning: boolean;
  /** How far it is, in a few words; empty if that is not known. */
  readonly done: string;
  /** All that is known of it, line by line. */
  readonly lines: readonly string[];
}

interface Running {
  readonly asked: AskedAtlas;
  readonly stop: AbortController;
  pace?: Pace;
}

const key = 'gander.unfinishedAtlases';

/** Makes atlases in the background, one at a time. What is unfinished is remembered for the workspace, and can be continued. */
export class AtlasMaking implements vscode.Disposable {
  readonly #status = vscode.window.createStatusBarItem('gander.atlas', vscode.StatusBarAlignment.Right, 89);
  readonly #changed = new vscode.EventEmitter<void>();
  /** Fires when an atlas is begun, gets on, ends or is discarded. */
  readonly onDidChange = this.#changed.event;
  #running: Running | undefined;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly engines: EngineHost,
    private readonly atlases: Atlases,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.#status.name = vscode.l10n.t('Gander: atlas in the making');
    this.#status.command = 'gander.stopAtlas';
  }

  /** The one that is in the making comes first. */
  get unfinished(): readonly UnfinishedAtlas[] {
    const running = this.#running;
    const others = this.#begun.filter(({ target }) => target !== running?.asked.target);
    return [
      ...(running ? [sayRunning(running)] : []),
      ...others.map((asked) => ({
        asked,
        title: titleOf(asked),
        isRunning: false,
        done: vscode.l10n.t('unfinished'),
        lines: [vscode.l10n.t('{0} is unfinished.', titleOf(asked)), vscode.l10n.t('What is done of it is kept.')],
      })),
    ];
  }

  get #begun(): readonly AskedAtlas[] {
    return this.context.workspaceState.get<readonly AskedAtlas[]>(key, []);
  }

  /** @throws GanderError `request-invalid` if an atlas is in the making */
  checkFree(): void {
    if (!this.#running) return;
    throw new GanderError(
      'request-invalid',
      vscode.l10n.t('{0} is in the making.', titleOf(this.#running.asked)),
      vscode.l10n.t('Wait until it is done, or stop it (Gander: Stop Making Atlas).'),
    );
  }

  /** The fields of the first row of data; none if the corpus is of files. Rejects with a GanderError. */
  fields(given: readonly string[]): Promise<readonly string[]> {
    return this.#ask('fields', { given });
  }

  /** What an atlas would take. Rejects with a GanderError. */
  async look(asked: AskedCorpus, options: OptionsOf<MakingCalls['look']>): Promise<Plan> {
    return this.#ask('look', await this.#requestOf(asked), options);
  }

  /** Makes an atlas, or continues to. Resolves once that is over or was stopped; rejects with a GanderError. */
  async make(asked: AskedAtlas): Promise<void> {
    this.checkFree();
    const earlier = this.#begun.find(({ target }) => target === asked.target);
    if (earlier && !isDeepStrictEqual(earlier, asked)) {
      this.#offer(earlier, vscode.l10n.t('{0} was begun with other options and is unfinished.', titleOf(earlier)));
      return;
    }
    const stop = new AbortController();
    this.#run({ asked, stop });
    this.#show();
    await this.#remember([...this.#others(asked), asked]);
    let totals: About['totals'];
    try {
      const onPartial = (pace: Pace) => {
        if (this.#running) this.#running.pace = pace;
        this.#show();
      };
      const request = { ...(await this.#requestOf(asked)), target: asked.target };
      totals = await this.#ask('make', request, { signal: stop.signal, onPartial });
    } catch (thrown) {
      if (!stop.signal.aborted) throw thrown;
      this.#sayStopped(asked);
      return;
    } finally {
      this.#run(undefined);
      this.#status.hide();
      this.#changed.fire();
    }
    await this.#remember(this.#others(asked));
    await this.atlases.open(asked.target);
    this.#sayMade(asked, totals);
  }

  /** Ends the run; what is done is kept. @throws GanderError `request-invalid` if there is none */
  stop(): void {
    if (!this.#running)
      throw new GanderError(
        'request-invalid',
        vscode.l10n.t('No atlas is in the making.'),
        vscode.l10n.t('Make one with Gander: Make Atlas….'),
      );
    this.#running.stop.abort();
  }

  /** Forgets what was begun, and deletes what is done of it. Rejects with a GanderError if it is in the making. */
  async discard(asked: AskedAtlas): Promise<void> {
    if (this.#running?.asked.target === asked.target) this.checkFree();
    // Another window may be going on with it.
    await holding(asked.target, () => rm(`${asked.target}.journal`, { force: true }));
    await this.#remember(this.#others(asked));
  }

  /** Offers to continue what was unfinished when the editor was closed. */
  async offer(): Promise<void> {
    for (const asked of this.#begun) {
      if (await isThere(asked.target)) await this.#remember(this.#others(asked));
      else this.#offer(asked, vscode.l10n.t('{0} is unfinished.', titleOf(asked)));
    }
  }

  dispose(): void {
    this.#running?.stop.abort();
    this.#status.dispose();
    this.#changed.dispose();
  }

  #run(running: Running | undefined): void {
    this.#running = running;
    void vscode.commands.executeCommand('setContext', 'gander.makingAtlas', running !== undefined);
  }

  #others({ target }: AskedAtlas): AskedAtlas[] {
    return this.#begun.filter((one) => one.target !== target);
  }

  async #remember(unfinished: readonly AskedAtlas[]): Promise<void> {
    await this.context.workspaceState.update(key, unfinished);
    this.#changed.fire();
  }

  async #ask<N extends keyof MakingCalls>(
    name: N,
    request: MakingCalls[N]['request'],
    options?: OptionsOf<MakingCalls[N]>,
  ): Promise<MakingCalls[N]['result']> {
    const { askMaker } = await import('../atlas/client.js');
    const entry = this.context.asAbsolutePath(path.join('dist', 'atlas.cjs'));
    return askMaker(name, request, { entry, log: (line) => this.log.debug(line) }, options);
  }

  async #requestOf({ given, corpus, model, strategy }: AskedCorpus): Promise<CorpusRequest> {
    const asked = { ...(strategy && { strategy }), interventions: [] as const };
    return { given, corpus, asked, model: await this.#choiceOf(model) };
  }

  async #choiceOf(model: string): Promise<ModelChoice> {
    const options = this.engines.optionsFor(model);
    if (!isServerAddress(model)) return options;
    return { address: model, access: await this.engines.servers.access(model), deadlineMs: options.deadlineMs };
  }

  #show(): void {
    if (!this.#running) return;
    const { share } = this.#running.pace ?? {};
    const done = share === undefined ? '' : numbers.percent(share);
    const { lines } = sayRunning(this.#running);
    const stop = vscode.l10n.t('Click to stop; what is done is kept.');
    this.#status.text = `$(loading~spin) ${vscode.l10n.t('Atlas {0}', done).trim()}`;
    this.#status.tooltip = [...lines, stop].join('\n');
    this.#status.accessibilityInformation = { label: [lines[0], done, stop].join(', '), role: 'button' };
    this.#status.show();
    this.#changed.fire();
  }

  #sayStopped(asked: AskedAtlas): void {
    this.#offer(asked, vscode.l10n.t('Stopped; what is done of {0} is kept.', titleOf(asked)));
  }

  #offer(asked: AskedAtlas, said: string): void {
    const [again, discard] = [vscode.l10n.t('Continue'), vscode.l10n.t('Discard')];
    void vscode.window.showInformationMessage(said, again, discard).then(async (chosen) => {
      try {
        if (chosen === again) await this.make(asked);
        if (chosen === discard) await this.discard(asked);
      } catch (thrown) {
        report(thrown, this.log);
      }
    });
  }

  #sayMade(asked: AskedAtlas, { documents, tokens }: About['totals']): void {
    const open = vscode.l10n.t('Open');
    const said = vscode.l10n.t(
      '{0} is made: {1} documents, {2} tokens.',
      titleOf(asked),
      numbers.whole(documents),
      numbers.whole(tokens),
    );
    void vscode.window.showInformationMessage(said, open).then((chosen) => {
      if (chosen === open) void vscode.commands.executeCommand('gander.openAtlas', vscode.Uri.file(asked.target));
    });
  }
}

function sayRunning({ asked, pace }: { readonly asked: AskedAtlas; readonly pace?: Pace }): UnfinishedAtlas {
  const { share, leftMs } = pace ?? {};
  const done = share === undefined ? '' : numbers.percent(share);
  const left = leftMs === undefined ? '' : vscode.l10n.t('About {0} left.', duration(leftMs));
  const facts = pace
    ? vscode.l10n.t(
        '{0} documents, {1} tokens, {2} tokens a second.',
        numbers.whole(pace.documents),
        numbers.whole(pace.tokens),
        numbers.whole(pace.tokensPerSecond),
      )
    : '';
  const title = titleOf(asked);
  return {
    asked,
    title,
    isRunning: true,
    done: [done, left.replace(/\.$/, '')].filter(Boolean).join(' · '),
    lines: [vscode.l10n.t('Making {0}', title), facts, left].filter((line) => line !== ''),
  };
}

function titleOf({ target }: AskedAtlas): string {
  return path.basename(target, folderEnding);
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
