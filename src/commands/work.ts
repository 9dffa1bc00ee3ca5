import type * as vscode from 'vscode';
import { Panels } from '../panel/panels.js';
import { SimilarityPanel } from '../panel/similarityPanel.js';
import { TraceEditor } from '../panel/traceEditor.js';
import { commands } from './index.js';
import type { ActiveParts, Parts } from './parts.js';

/** What a person asks for: commands, panels, viewers of trace files. Nothing of it is needed to activate. */
export class Work implements vscode.Disposable {
  readonly parts: Parts;

  constructor(base: ActiveParts) {
    const { context, log } = base;
    const panels = new Panels(base, context.extensionUri, log);
    const { extensionUri } = context;
    const [traces, similarity] = [new TraceEditor(extensionUri, log), new SimilarityPanel(extensionUri)];
    this.parts = { ...base, panels, traces, similarity };
  }

  /** @param id one of the manifest's commands */
  run(id: string, args: readonly unknown[]): unknown {
    const command = commands.find((one) => one.id === id);
    if (!command) throw new Error(`${id} is declared and nowhere defined`);
    return command.run(this.parts, ...args);
  }

  dispose(): void {
    this.parts.panels.dispose();
    this.parts.similarity.dispose();
  }
}
