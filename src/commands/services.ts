import type * as vscode from 'vscode';
import type { ExpertTree } from '../explorer/experts.js';
import type { Atlases } from '../host/atlases.js';
import type { AtlasMaking } from '../host/atlasMaking.js';
import type { Colours } from '../host/colours.js';
import type { DocumentRouter } from '../host/documentRouter.js';
import type { EngineHost } from '../host/engineHost.js';
import type { TokenMark } from '../host/tokenMark.js';
import type { AtlasEditor } from '../panel/atlasEditor.js';
import type { Panels } from '../panel/panels.js';
import type { SimilarityPanel } from '../panel/similarityPanel.js';
import type { TraceEditor } from '../panel/traceEditor.js';
import type { History } from '../routing/history.js';
import type { Runs } from '../routing/runs.js';
import type { RoutingService } from '../routing/service.js';
import type { RoutingStore } from '../routing/store.js';

/** The parts of the active extension. */
export interface ActiveServices {
  readonly context: vscode.ExtensionContext;
  readonly log: vscode.LogOutputChannel;
  readonly engines: EngineHost;
  readonly service: RoutingService;
  readonly store: RoutingStore;
  readonly runs: Runs;
  readonly history: History;
  readonly documentRouter: DocumentRouter;
  readonly mark: TokenMark;
  readonly colours: Colours;
  readonly atlases: Atlases;
  readonly making: AtlasMaking;
  readonly tree: ExpertTree;
}

/** The parts that commands use. */
export interface Services extends ActiveServices {
  readonly panels: Panels;
  readonly traces: TraceEditor;
  readonly similarity: SimilarityPanel;
  readonly atlasEditor: AtlasEditor;
}

/** A command. If it throws, the error is shown to the person, with its remedy. */
export interface Command {
  readonly id: `gander.${string}`;
  /** `args` come from menus and other extensions, so they may be anything. */
  run(services: Services, ...args: unknown[]): unknown;
}
