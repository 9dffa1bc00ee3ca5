/** What the status bar reads out. */
import { expect, test, vi } from 'vitest';
import * as vscode from 'vscode';
import { StatusBar } from '../../../src/editor/statusBar.js';

test('a model that runs here is named as what it is: it may be a mixture, which is no pool', () => {
  const item = { show: () => {}, accessibilityInformation: { label: '' } };
  vi.spyOn(vscode.window, 'createStatusBarItem').mockReturnValueOnce(item as never);
  const on = () => ({});
  const engines = { state: { name: 'ready', busy: false }, onDidChangeState: on, onDidChangePool: on };
  const colours = { onDidChange: on, onDidOverlay: on };
  const shown = { routed: undefined, onDidChangeTreeData: on };
  const bar = new StatusBar(engines as never, { onChange: on } as never, colours as never, shown as never);
  bar.show({ name: 'Tiny Mixtral', warnings: [] } as never);
  expect(item.accessibilityInformation.label).toBe('Gander, Tiny Mixtral: ready');
});
