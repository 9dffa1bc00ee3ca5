/** What stands in VS Code's place in unit tests. One for all of them, because the files of a worker share loaded modules. */
import { filled } from '../../src/words/counted.js';

class Kept {
  constructor(
    readonly label: unknown,
    readonly collapsibleState?: unknown,
  ) {}
}

export { Kept as Disposable, Kept as EventEmitter, Kept as ThemeColor, Kept as ThemeIcon, Kept as TreeItem };

export class Range {
  constructor(
    readonly start: unknown,
    readonly end: unknown,
  ) {}
}

export class Hover {
  constructor(readonly contents: unknown) {}
}

export class MarkdownString {
  value = '';

  /** As VS Code does it. */
  appendText(text: string): void {
    this.value += text.replace(/[ \t]/g, '&nbsp;');
  }

  appendMarkdown(text: string): void {
    this.value += text;
  }

  appendCodeblock(text: string): void {
    this.value += `\n${text}\n`;
  }
}

export const TreeItemCollapsibleState = { None: 0, Collapsed: 1, Expanded: 2 };
export const StatusBarAlignment = { Right: 2 };
export const Uri = { parse: (text: string) => text };

const on = () => ({ dispose: () => {} });

export const env = { language: 'en' };
export const l10n = { t: (text: string, ...values: (string | number)[]) => filled(text, values) };
export const window = {
  createStatusBarItem: () => ({ show: () => {}, accessibilityInformation: { label: '' } }),
  onDidChangeActiveTextEditor: on,
  onDidChangeTextEditorSelection: on,
};
export const workspace = { textDocuments: [] };
