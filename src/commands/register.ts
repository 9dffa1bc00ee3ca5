import * as vscode from 'vscode';
import { report } from '../host/notify.js';
import type { Features } from './features.js';

interface Manifest {
  readonly contributes: { readonly commands: readonly { readonly command: string }[] };
}

/**
 * Registers all commands of the manifest, always: one that cannot run now says why, with the remedy.
 * @param beginnings what begins at once, by command, while the rest is loaded
 */
export function registerCommands(
  { extension }: vscode.ExtensionContext,
  log: vscode.LogOutputChannel,
  features: () => Promise<Features>,
  beginnings: Readonly<Record<string, () => void>>,
): vscode.Disposable {
  const { contributes } = extension.packageJSON as Manifest;
  const registered = contributes.commands.map(({ command }) =>
    vscode.commands.registerCommand(command, async (...args: unknown[]) => {
      try {
        beginnings[command]?.();
        // The result is dropped: it would go to the window as JSON, and a trace is large. Extensions use the API instead.
        await (await features()).run(command, args);
      } catch (error) {
        report(error, log);
      }
    }),
  );
  return vscode.Disposable.from(...registered);
}
