import type * as vscode from 'vscode';
import { AtlasEditor } from '../panel/atlasEditor.js';
import { Panels } from '../panel/panels.js';
import { SimilarityPanel } from '../panel/similarityPanel.js';
import { TraceEditor } from '../panel/traceEditor.js';
import { AgentTools } from './agents.js';
import { commands } from './index.js';
import type { ActiveServices, Services } from './services.js';

/** Commands, panels and viewers of trace files and atlases. Created when first used, because activation does not need them. */
export class Features implements vscode.Disposable {
  readonly services: Services;
  readonly agents: AgentTools;
  readonly #following: vscode.Disposable;

  constructor(base: ActiveServices) {
    const { context, log, atlases } = base;
    const panels = new Panels(base, context.extensionUri, log);
    const { extensionUri } = context;
    const traces = new TraceEditor(atlases, extensionUri, log);
    const similarity = new SimilarityPanel(extensionUri, log);
    const atlasEditor = new AtlasEditor({ ...base, panels }, extensionUri);
    this.services = { ...base, panels, traces, similarity, atlasEditor };
    this.agents = new AgentTools(this.services);
    this.#following = base.tree.follow(panels);
  }

  /** @param id of a command in the manifest */
  run(id: string, args: readonly unknown[]): unknown {
    const command = commands.find((one) => one.id === id);
    if (!command) throw new Error(`${id} is declared but not defined`);
    return command.run(this.services, ...args);
  }

  dispose(): void {
    this.#following.dispose();
    this.agents.dispose();
    this.services.panels.dispose();
    this.services.similarity.dispose();
    this.services.atlasEditor.dispose();
  }
}
