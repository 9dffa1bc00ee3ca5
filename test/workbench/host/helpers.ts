import * as assert from 'node:assert/strict';
import path from 'node:path';
import * as vscode from 'vscode';
import type { TestApi } from '../../../src/extension.js';
import type { Routed, TokenSpans } from '../../../src/routing/store.js';

export const extension = () => {
  const found = vscode.extensions.getExtension<TestApi>('gander.gander');
  assert.ok(found, 'the extension is installed');
  return found;
};

export const activate = () => Promise.resolve(extension().activate());

export const tinyPool = () => path.join(extension().extensionPath, 'test/fixtures/tiny-pool');

export async function set(name: string, value: unknown): Promise<void> {
  await vscode.workspace.getConfiguration('gander').update(name, value, vscode.ConfigurationTarget.Global);
}

/** The pool on which everything takes milliseconds. */
export async function useTinyPool(): Promise<TestApi> {
  const api = await activate();
  await set('pool', tinyPool());
  return api;
}

export async function until<T>(what: string, ok: () => T | undefined | false, ms = 60_000): Promise<T> {
  for (const end = Date.now() + ms; Date.now() < end; await pause(25)) {
    const found = ok();
    if (found !== undefined && found !== false) return found;
  }
  assert.fail(`timed out: ${what}`);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let shown = 0;

/** An untitled document with a unique name: a name chosen by VS Code could bring back the backup of a document closed just before. */
export async function show(content: string, language = 'plaintext'): Promise<vscode.TextEditor> {
  const uri = vscode.Uri.from({ scheme: 'untitled', path: `shown-${++shown}` });
  const document = await vscode.workspace.openTextDocument(uri);
  const edit = new vscode.WorkspaceEdit();
  edit.insert(uri, new vscode.Position(0, 0), content);
  await vscode.workspace.applyEdit(edit);
  await vscode.languages.setTextDocumentLanguage(document, language);
  return vscode.window.showTextDocument(document, vscode.ViewColumn.One);
}

/** Where the caret goes for a token: past the space that it begins with, or VS Code would highlight the word before. */
export function caretOf({ document }: vscode.TextEditor, { start, end }: TokenSpans, token: number): number {
  const own = document.getText().slice(start[token], end[token]);
  return own.trim() ? end[token]! - own.trimStart().length : start[token]!;
}

export const closeAll = () => vscode.commands.executeCommand('workbench.action.closeAllEditors');

/** Selects the words in the text. */
export function select(editor: vscode.TextEditor, ...words: string[]): void {
  const { document } = editor;
  editor.selections = words.map((word) => {
    const at = document.getText().indexOf(word);
    assert.ok(at >= 0, word);
    return new vscode.Selection(document.positionAt(at), document.positionAt(at + word.length));
  });
}

export async function routed(api: TestApi, editor: vscode.TextEditor): Promise<Routed> {
  await vscode.commands.executeCommand('gander.routeSelection');
  const found = api.services.store.of(editor.document.uri.toString())[0];
  assert.ok(found?.main.trace, 'the text was routed');
  return found;
}

export async function hover(document: vscode.TextDocument, offset: number): Promise<string> {
  const hovers = await vscode.commands.executeCommand<vscode.Hover[]>(
    'vscode.executeHoverProvider',
    document.uri,
    document.positionAt(offset),
  );
  const texts = hovers.flatMap(({ contents }) => contents).map((content) => (content as vscode.MarkdownString).value);
  return texts
    .filter((text) => text.includes('Gander'))
    .join('\n')
    .replaceAll(/&nbsp;|\u00a0/g, ' ');
}

interface Said {
  readonly level: 'error' | 'warning' | 'information';
  readonly text: string;
  readonly actions: readonly string[];
  /** What a question says below its first line. */
  readonly detail?: string | undefined;
}

/** Answers messages and questions during `body`. `answer` gets each message and names the action to take. */
export async function hearing<T>(
  body: (said: readonly Said[]) => Promise<T>,
  answer: (said: Said) => string | undefined = () => undefined,
): Promise<readonly Said[]> {
  const window = vscode.window as unknown as Record<string, unknown>;
  const names = {
    showErrorMessage: 'error',
    showWarningMessage: 'warning',
    showInformationMessage: 'information',
  } as const;
  const originals = Object.keys(names).map((name) => [name, window[name]] as const);
  const said: Said[] = [];
  for (const [name, level] of Object.entries(names)) {
    window[name] = (text: string, ...rest: unknown[]) => {
      const actions = rest.filter((item): item is string => typeof item === 'string');
      const one = { level, text, actions, detail: (rest[0] as vscode.MessageOptions | undefined)?.detail };
      said.push(one);
      return Promise.resolve(answer(one));
    };
  }
  try {
    await body(said);
  } finally {
    for (const [name, original] of originals) window[name] = original;
  }
  return said;
}

/** Answers a dialog or a pick of VS Code during `body`. */
export async function answering<T>(
  name: 'showOpenDialog' | 'showSaveDialog' | 'showInputBox' | 'showQuickPick',
  answer: (first: unknown) => unknown,
  body: () => Promise<T>,
): Promise<T> {
  const window = vscode.window as unknown as Record<string, unknown>;
  const original = window[name];
  window[name] = async (first: unknown) => answer(await first);
  try {
    return await body();
  } finally {
    window[name] = original;
  }
}

type Answer = (
  items: readonly vscode.QuickPickItem[],
  box: Pick<vscode.QuickPick<vscode.QuickPickItem>, 'placeholder'>,
) => vscode.QuickPickItem | undefined;

const pressed = new WeakSet<Answer>();

/** Answers with the first button of an item. */
export function pressing(answer: Answer): Answer {
  const press: Answer = (items, box) => answer(items, box);
  pressed.add(press);
  return press;
}

/** Answers the questions of one box in turn during `body`; without an answer, the box is closed. */
export async function picking<T>(answers: readonly Answer[], body: () => Promise<T>): Promise<T> {
  const window = vscode.window as { createQuickPick: () => unknown };
  const original = window.createQuickPick;
  const left = [...answers];
  window.createQuickPick = () => {
    const [accepted, hidden] = [new vscode.EventEmitter<void>(), new vscode.EventEmitter<void>()];
    const button = new vscode.EventEmitter<vscode.QuickPickItemButtonEvent<vscode.QuickPickItem>>();
    const box = {
      placeholder: undefined as string | undefined,
      items: [] as vscode.QuickPickItem[],
      selectedItems: [] as vscode.QuickPickItem[],
      onDidAccept: accepted.event,
      onDidHide: hidden.event,
      onDidTriggerItemButton: button.event,
      show: () => {
        setTimeout(() => {
          const answer = left.shift();
          const item = answer?.(box.items, box);
          if (item && pressed.has(answer!)) {
            button.fire({ item, button: item.buttons![0]! });
            return;
          }
          box.selectedItems = item ? [item] : [];
          (item ? accepted : hidden).fire();
        });
      },
      dispose: () => undefined,
    };
    return box;
  };
  try {
    const result = await body();
    assert.equal(left.length, 0, 'every question was asked');
    return result;
  } finally {
    window.createQuickPick = original;
  }
}
