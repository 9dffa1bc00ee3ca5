import * as vscode from 'vscode';
import type { Command } from './services.js';

/** The page's "?" and the hover link to it; it is the same glossary as in the documentation. */
export const openGlossary: Command = {
  id: 'gander.openGlossary',
  async run({ context }) {
    const glossary = vscode.Uri.joinPath(context.extensionUri, 'docs', 'glossary.md');
    await vscode.commands.executeCommand('markdown.showPreview', glossary);
  },
};
