import * as vscode from 'vscode';
import type { SimilarityMessage } from '../protocol/similarity.js';
import { report } from '../host/notify.js';
import { pageHtml, pageIcon, pageOptions } from './html.js';
import { saveDrawn } from './save.js';
import { similarityType } from './types.js';

/** Shows how similar a pool's experts are. There is one such panel at a time. */
export class SimilarityPanel {
  #panel: vscode.WebviewPanel | undefined;
  #shown: SimilarityMessage | undefined;

  constructor(
    private readonly extension: vscode.Uri,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  show(message: SimilarityMessage): void {
    this.#shown = message;
    if (this.#panel) {
      this.#panel.reveal();
      void this.#panel.webview.postMessage(message);
      return;
    }
    const title = vscode.l10n.t('Experts Compared');
    const panel = vscode.window.createWebviewPanel(
      similarityType,
      title,
      vscode.ViewColumn.Active,
      pageOptions(this.extension),
    );
    this.#panel = panel;
    panel.iconPath = pageIcon(this.extension);
    panel.onDidDispose(() => (this.#panel = undefined));
    panel.webview.onDidReceiveMessage((said: unknown) =>
      this.#receive(said, panel.webview).catch((error: unknown) => report(error, this.log)),
    );
    panel.webview.html = pageHtml(panel.webview, this.extension, {
      script: 'similarity.js',
      title,
      styles: ['panel.css', 'similarity.css'],
    });
  }

  async #receive(said: unknown, page: vscode.Webview): Promise<void> {
    const { parsePageMessage } = await import('./messages.js');
    const message = parsePageMessage(said);
    switch (message.type) {
      case 'ready':
        // The page says so again each time that it was hidden and is shown again.
        await page.postMessage(this.#shown);
        return;
      case 'save':
        if (message.kind !== 'trace') await saveDrawn(message, this.#shown?.name ?? '');
        return;
      case 'copy':
        await vscode.env.clipboard.writeText(message.text);
        vscode.window.setStatusBarMessage(vscode.l10n.t('Copied'), 2000);
        return;
      case 'log':
        this.log[message.level](`page: ${message.text}`);
        return;
      default:
        this.log.warn(`A message from the page that compares experts was refused: ${message.type}`);
    }
  }

  dispose(): void {
    this.#panel?.dispose();
  }
}
