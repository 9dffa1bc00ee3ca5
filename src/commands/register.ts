import * as vscode from 'vscode';
import { report } from '../host/notify.js';
import type { Work } from './work.js';

interface Manifest {
  readonly contributes: { readonly commands: readonly { readonly command: string }[] };
}

/** Commands exist in every state: what one cannot do now it says, with the remedy. Those of the manifest are all there are. */
export function registerCommands(
  { extension }: vscode.ExtensionContext,
  log: vscode.LogOutputChannel,
  work: () => Promise<Work>,
): vscode.Disposable {
  const { contributes } = extension.packageJSON as Manifest;
  const registered = contributes.commands.map(({ command }) =>
    vscode.commands.registerCommand(command, async (...args: unknown[]) => {
      try {
        // No result: it would cross to the window as JSON, and a trace is large. Extensions have the API for that.
        await (await work()).run(command, args);
      } catch (error) {
        report(error, log);
      }
    }),
  );
  return vscode.Disposable.from(...registered);
}
