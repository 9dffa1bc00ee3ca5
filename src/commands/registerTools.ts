import * as vscode from 'vscode';
import type { DeclaredTool } from './agents.js';
import type { Features } from './features.js';

interface Manifest {
  readonly contributes: { readonly languageModelTools: readonly DeclaredTool[] };
}

/** Registers all tools of the manifest; what they do is loaded with the first call. */
export function registerTools(
  { extension }: vscode.ExtensionContext,
  features: () => Promise<Features>,
): vscode.Disposable {
  const { contributes } = extension.packageJSON as Manifest;
  const registered = contributes.languageModelTools.map((declared) =>
    vscode.lm.registerTool<unknown>(declared.name, {
      prepareInvocation: async ({ input }) => (await features()).agents.prepare(declared, input),
      invoke: async (options, token) => (await features()).agents.invoke(declared, options, token),
    }),
  );
  return vscode.Disposable.from(...registered);
}
