import * as vscode from 'vscode';
import type { SimilarityMessage } from '../protocol/similarity.js';
import { pageHtml, pageIcon, pageOptions } from './html.js';
import { similarityType } from './types.js';

/** Shows how similar a pool's experts are. There is one such panel at a time. */
export class SimilarityPanel {
  #panel: vscode.WebviewPanel | undefined;
  #shown: SimilarityMessage | undefined;

  constructor(private readonly extension: vscode.Uri) {}

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
    // The page says so again each time that it was hidden and is shown again.
    panel.webview.onDidReceiveMessage((said: unknown) => {
      if ((said as { readonly type?: unknown } | null)?.type === 'ready') void panel.webview.postMessage(this.#shown);
    });
    panel.webview.html = pageHtml(panel.webview, this.extension, {
      script: 'similarity.js',
      title,
      styles: ['panel.css', 'similarity.css'],
    });
  }

  dispose(): void {
    this.#panel?.dispose();
  }
}
