import * as vscode from 'vscode';
import { openDocument } from '../host/documentRouter.js';
import type { Command } from './services.js';

/** Goes to a token in the text, and in the panels that show it. */
export const revealToken: Command = {
  id: 'gander.revealToken',
  async run({ store, panels, mark }, id, token) {
    if (typeof id !== 'number' || typeof token !== 'number') return;
    const routed = store.get(id);
    if (!routed) return;
    const start = store.tokenSpans(id)?.start[token] ?? -1;
    if (start >= 0) {
      const document = await openDocument(routed);
      const shown = vscode.window.visibleTextEditors.find((editor) => editor.document === document);
      await vscode.window.showTextDocument(document, {
        ...(shown?.viewColumn && { viewColumn: shown.viewColumn }),
        preserveFocus: true,
      });
      mark.show(routed.uri, { start, end: store.tokenSpans(id)!.end[token]! });
    }
    panels.select(id, token);
  },
};
