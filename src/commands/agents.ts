import path from 'node:path';
import * as vscode from 'vscode';
import { GanderError } from '../errors/errors.js';
import { findShared } from '../files/shared.js';
import { preferredStrategy } from '../host/settings.js';
import { checkText } from '../host/texts.js';
import type { SourceDescription } from '../requests/description.js';
import { isOpenToReaders, isServerAddress } from '../source/serverAddress.js';
import { failure } from '../tools/errors.js';
import { tools } from '../tools/index.js';
import type { OfferedModel } from '../tools/model.js';
import type { Reach, ReachedAtlas, TextFile } from '../tools/reach.js';
import { type KeptRun, KeptRuns } from '../tools/runs.js';
import { sharedPath } from '../tools/shared.js';
import type { Tool } from '../tools/tool.js';
import type { Services } from './services.js';

/** A tool of the manifest, as VS Code has read and translated it. */
export interface DeclaredTool {
  readonly name: string;
  readonly displayName: string;
}

const prefix = 'gander_';

/** Characters of a text that are shown in a question. */
const shownText = 300;

/** The tools for agents in the editor: they reach the model in use, those that ship, and the files of the workspace. */
export class AgentTools implements vscode.Disposable {
  readonly #others = new Map<string, OtherSource>();
  readonly #reach: Reach;

  constructor(private readonly services: Services) {
    this.#reach = {
      models: () => this.#models(),
      runs: new KeptRuns(),
      readText,
      atlasOf: (source) => this.#atlasOf(source),
      open: (run) => this.#open(run),
    };
  }

  /** What the person is asked and told before a call. A tool that runs a text says where it goes. */
  prepare({ name, displayName }: DeclaredTool, input: unknown): vscode.PreparedToolInvocation {
    const model = toolOf(name).sendsText && this.#modelOf(input as Asked);
    if (!model) return { invocationMessage: displayName };
    const message = new vscode.MarkdownString();
    message.appendText(destination(model));
    message.appendText(` ${vscode.l10n.t('The answer, which names the text’s tokens, goes to the chat.')}`);
    message.appendCodeblock(this.#textOf(input as Asked), 'text');
    return {
      invocationMessage: vscode.l10n.t('{0} with {1}', displayName, model.id),
      confirmationMessages: { title: vscode.l10n.t('{0} with {1}?', displayName, model.id), message },
    };
  }

  async invoke(
    { name, displayName }: DeclaredTool,
    { input, tokenizationOptions }: vscode.LanguageModelToolInvocationOptions<unknown>,
    token: vscode.CancellationToken,
  ): Promise<vscode.LanguageModelToolResult> {
    const abort = new AbortController();
    const stop = () => abort.abort();
    if (token.isCancellationRequested) stop();
    const listening = token.onCancellationRequested(stop);
    try {
      const text = await vscode.window.withProgress(
        { location: vscode.ProgressLocation.Window, title: displayName },
        (shown) =>
          toolOf(name).call(input, this.#reach, {
            signal: abort.signal,
            progress: (done, of, what) =>
              shown.report({ message: of === undefined ? what : vscode.l10n.t('{0} of {1} {2}', done, of, what) }),
          }),
      );
      const fitting = tokenizationOptions ? await fitted(text, tokenizationOptions) : text;
      return new vscode.LanguageModelToolResult([new vscode.LanguageModelTextPart(fitting)]);
    } catch (thrown) {
      if (GanderError.from(thrown).code === 'cancelled') throw new vscode.CancellationError();
      // It reaches the agent, which is told what to do next.
      this.services.log.info(`${name}: ${GanderError.from(thrown).message}`);
      throw new Error(failure(thrown), { cause: thrown });
    } finally {
      listening.dispose();
    }
  }

  dispose(): void {
    for (const other of this.#others.values()) other.dispose();
  }

  /** The model in use, then those that ship. Other servers were agreed to only while they were in use. */
  #models(): OfferedModel[] {
    const { address, pool, bundled } = this.services.engines;
    const all = [...new Set([address ?? pool, ...bundled.map((model) => model.path)])];
    return all.map((chosen) => this.#model(chosen));
  }

  #model(chosen: string): OfferedModel {
    const isServer = isServerAddress(chosen);
    return {
      id: isServer ? new URL(chosen).host : path.basename(chosen),
      ...(isServer && { address: chosen }),
      source: {
        describe: async () => this.#source(chosen).describe(),
        route: async (request, options) => this.#source(chosen).route(request, options),
      },
      strategy: preferredStrategy,
    };
  }

  /** @throws GanderError `server-refused` for a server that is no longer in use */
  #source(chosen: string): OfferedModel['source'] {
    const { engines, service } = this.services;
    if (chosen === (engines.address ?? engines.pool)) return service;
    if (isServerAddress(chosen))
      throw new GanderError(
        'server-refused',
        vscode.l10n.t('Nothing was sent to {0}: it is no longer in use.', chosen),
        vscode.l10n.t('Use a model that list_models names now.'),
      );
    const other = this.#others.get(chosen) ?? engines.another(chosen);
    this.#others.set(chosen, other);
    return other;
  }

  async #atlasOf(source: SourceDescription): Promise<ReachedAtlas | undefined> {
    const { atlases } = this.services;
    const found = await atlases.find(source);
    if (!found) return undefined;
    const reader = await atlases.reader(found.folder);
    return {
      folder: found.folder,
      about: found.opened.about,
      rows: (table, where) => reader.ask('rows', { table, where }),
    };
  }

  /** Shows the run's text, and routes it again in the panel, which finds the result kept. */
  async #open({ model, request, file }: KeptRun): Promise<void> {
    if (model.id !== this.#models()[0]!.id)
      throw new GanderError(
        'request-invalid',
        vscode.l10n.t('The panel shows runs of the model in use, and this one is of {0}.', model.id),
        vscode.l10n.t('Ask the user to choose it (Gander: Choose Model…), or route the text with the model in use.'),
      );
    const document = file
      ? await vscode.workspace.openTextDocument(file.path)
      : await vscode.workspace.openTextDocument({ content: request.text });
    const start = file ? document.offsetAt(new vscode.Position(file.firstLine - 1, 0)) : 0;
    const span = { start, end: start + request.text.length };
    if (document.getText().slice(span.start, span.end) !== request.text)
      throw new GanderError(
        'request-invalid',
        vscode.l10n.t('The text has changed since it was routed.'),
        vscode.l10n.t('Route it again, then open that run.'),
      );
    await vscode.window.showTextDocument(document, { preserveFocus: true, preview: false });
    const { strategy, interventions = [], target } = request;
    await this.services.documentRouter.route(document, span, {
      strategy,
      interventions,
      target,
      onAdded: (routed) => this.services.panels.show(routed),
    });
  }

  /** Undefined if the call names none that there is; it will say so itself. */
  #modelOf({ run, model: id }: Asked): OfferedModel | undefined {
    const models = this.#models();
    if (run === undefined) return id === undefined ? models[0] : models.find((model) => model.id === id);
    return this.#runOf(run)?.model;
  }

  #runOf(id: number): KeptRun | undefined {
    return this.#reach.runs.has(id) ? this.#reach.runs.get(id) : undefined;
  }

  #textOf({ run, text, file_path: file }: Asked): string {
    const whole = text ?? file ?? (run === undefined ? '' : (this.#runOf(run)?.request.text ?? ''));
    return whole.length > shownText ? `${whole.slice(0, shownText)} …` : whole;
  }
}

type OtherSource = ReturnType<Services['engines']['another']>;

/** What may be in a call that runs a text. */
interface Asked {
  readonly run?: number;
  readonly model?: string;
  readonly text?: string;
  readonly file_path?: string;
}

function toolOf(name: string): Tool {
  const found = tools.find((tool) => `${prefix}${tool.name}` === name);
  if (!found) throw new Error(`${name} is declared but not defined`);
  return found;
}

function destination({ id, address }: OfferedModel): string {
  if (address === undefined) return vscode.l10n.t('{0} runs on this machine, and the text stays here.', id);
  const sent = vscode.l10n.t('The text is sent to {0}.', address);
  return isOpenToReaders(address)
    ? `${sent} ${vscode.l10n.t('It is sent without encryption: anyone along the way can read it.')}`
    : sent;
}

/** Of the workspace, with what was typed and not saved. */
async function readText(named: string): Promise<TextFile> {
  const folders = (vscode.workspace.workspaceFolders ?? [])
    .filter(({ uri }) => uri.scheme === 'file')
    .map(({ uri }) => uri.fsPath);
  const file = sharedPath(named, folders, await findShared(named, folders));
  try {
    const text = (await vscode.workspace.openTextDocument(file)).getText();
    checkText(text);
    return { path: file, text };
  } catch (cause) {
    if (cause instanceof GanderError) throw cause;
    throw new GanderError(
      'io',
      vscode.l10n.t('{0} could not be read as text.', file),
      vscode.l10n.t('Give another file, or the text itself.'),
      { cause },
    );
  }
}

/** As much as the chat has room for, cut at a line's end. */
async function fitted(text: string, room: vscode.LanguageModelToolTokenizationOptions): Promise<string> {
  let kept = text;
  for (let count = await room.countTokens(kept); count > room.tokenBudget; count = await room.countTokens(kept)) {
    if (kept === '') break;
    const most = Math.floor(kept.length * Math.min(0.9, room.tokenBudget / count));
    kept = kept.slice(0, Math.max(0, kept.lastIndexOf('\n', most)));
  }
  return kept === text ? text : `${kept}\nCut: the chat has no room for more. Ask about a part.\n`;
}
