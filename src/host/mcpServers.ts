import path from 'node:path';
import * as vscode from 'vscode';
import type { EngineHost } from './engineHost.js';
import { section } from './settings.js';

/** Parts of the editor’s API that the oldest supported version lacks. */
interface Api {
  readonly lm: {
    readonly registerMcpServerDefinitionProvider?: (id: string, provider: Provider) => vscode.Disposable;
  };
  readonly McpStdioServerDefinition: new (
    label: string,
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    version: string,
  ) => Definition;
}

interface Definition {
  env: Readonly<Record<string, string | number | null>>;
}

interface Provider {
  readonly onDidChangeMcpServerDefinitions: vscode.Event<void>;
  provideMcpServerDefinitions(): readonly Definition[];
  resolveMcpServerDefinition(definition: Definition): Promise<Definition>;
}

const api = vscode as unknown as Api;

const setting = 'mcpServer';

/**
 * Offers `gander mcp` with the model in use, where the editor knows such servers and the person wants it: agents in the editor
 * have the same tools without it, and would see each twice.
 */
export function offerMcpServer(context: vscode.ExtensionContext, engines: EngineHost): vscode.Disposable {
  const changed = new vscode.EventEmitter<void>();
  const registered = register(provider(context, engines, changed.event));
  return vscode.Disposable.from(
    registered,
    changed,
    engines.onDidChangePool(() => changed.fire()),
    vscode.workspace.onDidChangeWorkspaceFolders(() => changed.fire()),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration(`${section}.${setting}`)) changed.fire();
    }),
  );
}

function register(offering: Provider): vscode.Disposable {
  try {
    const registered = api.lm.registerMcpServerDefinitionProvider?.('gander.mcp', offering);
    if (registered) return registered;
  } catch {
    // VS Code 1.100 has a draft of it, which refuses the final manifest.
  }
  return new vscode.Disposable(() => undefined);
}

function provider(context: vscode.ExtensionContext, engines: EngineHost, changed: vscode.Event<void>): Provider {
  const version = (context.extension.packageJSON as { readonly version: string }).version;
  return {
    onDidChangeMcpServerDefinitions: changed,
    provideMcpServerDefinitions() {
      if (!vscode.workspace.getConfiguration(section).get<boolean>(setting, false)) return [];
      const args = [
        context.asAbsolutePath(path.join('dist', 'cli.cjs')),
        'mcp',
        ...modelArguments(engines),
        ...folders(),
      ];
      // In the extension host the executable is Electron.
      return [
        new api.McpStdioServerDefinition('Gander', process.execPath, args, { ELECTRON_RUN_AS_NODE: '1' }, version),
      ];
    },
    async resolveMcpServerDefinition(definition) {
      const { address, servers } = engines;
      if (address === undefined) return definition;
      // Rejects if the person has not agreed that text goes there.
      const { token } = await servers.access(address);
      if (token !== undefined) definition.env = { ...definition.env, GANDER_ENGINE_TOKEN: token };
      return definition;
    },
  };
}

function modelArguments({ address, pool, servers }: EngineHost): string[] {
  if (address === undefined) return ['--pool', pool];
  const config = servers.find(address)?.config;
  return ['--engine', address, ...(config === undefined ? [] : ['--config', config])];
}

function folders(): string[] {
  const open = vscode.workspace.workspaceFolders ?? [];
  return open.flatMap(({ uri }) => (uri.scheme === 'file' ? ['--folder', uri.fsPath] : []));
}
