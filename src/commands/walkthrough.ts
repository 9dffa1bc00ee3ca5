import * as vscode from 'vscode';
import type { Command } from './services.js';

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

/** A text whose parts go to different experts. */
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
    // Beside the walkthrough, whose next step routes the visible text.
    const walkthrough = vscode.window.tabGroups.activeTabGroup.activeTab && !vscode.window.activeTextEditor;
    // Empty at first: VS Code may itself open an untitled document that has content, in another place, if it is faster than this.
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
