import * as vscode from 'vscode';
import type { Command } from './parts.js';

export const openWalkthrough: Command = {
  id: 'gander.openWalkthrough',
  async run({ context }) {
    await vscode.commands.executeCommand(
      'workbench.action.openWalkthrough',
      `${context.extension.id}#gander.start`,
      false,
    );
  },
};

/** A text that the experts disagree about. */
export const openSample: Command = {
  id: 'gander.openSample',
  async run() {
    const content = [
      '# Release notes',
      '',
      'The parser is twice as fast. Upgrade with `npm install`.',
      '',
      '```python',
      'def total(rows):',
      '    return sum(row["price"] for row in rows)',
      '```',
      '',
      '```sql',
      'SELECT name, SUM(price) FROM orders GROUP BY name;',
      '```',
      '',
    ].join('\n');
    // Beside the walkthrough, whose next step is to route what is in sight.
    const walkthrough = vscode.window.tabGroups.activeTabGroup.activeTab && !vscode.window.activeTextEditor;
    // Empty at first: VS Code opens an untitled document with content by itself, in a place of its own, if it is quicker.
    const document = await vscode.workspace.openTextDocument({ language: 'markdown' });
    const editor = await vscode.window.showTextDocument(
      document,
      walkthrough ? vscode.ViewColumn.Beside : vscode.ViewColumn.Active,
    );
    await editor.edit((edit) => {
      edit.insert(new vscode.Position(0, 0), content);
    });
    editor.selection = new vscode.Selection(0, 0, 0, 0);
  },
};
