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
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument({ language: 'markdown', content }));
  },
};
