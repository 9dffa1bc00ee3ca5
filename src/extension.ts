import * as vscode from 'vscode';
import type { GanderApi, RoutedEvent } from './api.js';
import type { ActiveServices, Services } from './commands/services.js';
import { registerCommands } from './commands/register.js';
import { registerTools } from './commands/registerTools.js';
import type { Features } from './commands/features.js';
import { RoutingDecorations } from './editor/decorations.js';
import { RoutingHover } from './editor/hover.js';
import { StatusBar } from './editor/statusBar.js';
import { ExpertTree } from './explorer/experts.js';
import { Atlases } from './host/atlases.js';
import { AtlasMaking } from './host/atlasMaking.js';
import { Colours } from './host/colours.js';
import { DocumentRouter } from './host/documentRouter.js';
import { EngineHost } from './host/engineHost.js';
import { offerMcpServer } from './host/mcpServers.js';
import { preferredStrategy } from './host/settings.js';
import { TokenMark } from './host/tokenMark.js';
import { atlasType, importType, panelType, traceType } from './panel/types.js';
import { History } from './routing/history.js';
import { Runs } from './routing/runs.js';
import { RoutingService } from './routing/service.js';
import { RoutingStore } from './routing/store.js';

/** Only for the extension's own tests. */
export interface TestApi extends GanderApi {
  readonly services: ActiveServices;
  /** With panels and viewers, which are created when first needed. */
  features(): Promise<Services>;
  loaded(): Promise<Features>;
  /** How long `activate` took, without loading the file. Milliseconds. */
  readonly activation: number;
}

/** Creates the services and connects them. Nothing heavy happens here: the engine starts with the first request. */
export function activate(context: vscode.ExtensionContext): GanderApi {
  const start = performance.now();
  const services = createServices(context);
  const features = featuresOf(services);
  register(services, features);
  const api = apiOf(services);
  void services.making.offer();
  if (process.env['GANDER_START'] === '1') void startWithSample(services.log);
  if (context.extensionMode !== vscode.ExtensionMode.Test) return api;
  const activation = performance.now() - start;
  const testApi: TestApi = {
    ...api,
    services,
    features: async () => (await features()).services,
    loaded: features,
    activation,
  };
  return testApi;
}

function createServices(context: vscode.ExtensionContext): ActiveServices {
  const log = vscode.window.createOutputChannel(vscode.l10n.t('Gander'), { log: true });
  const engines = new EngineHost(context, log);
  const service = new RoutingService(() => engines.source);
  // Before anyone else hears of the new pool: whoever asks for it then finds no traces of the old one.
  context.subscriptions.push(
    log,
    engines.onDidChangePool(() => service.forget()),
  );
  const store = new RoutingStore();
  const runs = new Runs(service, store, (line) => log.info(line));
  const history = new History(store, runs);
  const documentRouter = new DocumentRouter(service, store, runs, history);
  const mark = new TokenMark();
  const colours = new Colours(context.workspaceState, store);
  const atlases = new Atlases(context, service, log);
  const making = new AtlasMaking(context, engines, atlases, log);
  const tree = new ExpertTree({ service, store, engines, colours, atlases, making, documentRouter }, log);
  context.subscriptions.push(engines, documentRouter, mark, colours, atlases, making, tree, runs);
  return { context, log, engines, service, store, runs, history, documentRouter, mark, colours, atlases, making, tree };
}

/** Commands, panels and viewers, made when the first is asked for. */
function featuresOf(services: ActiveServices): () => Promise<Features> {
  let made: Features | undefined;
  const { engines, context } = services;
  context.subscriptions.push(engines.onDidChangePool(() => made?.services.panels.poolChanged()));
  return async () => {
    const { Features } = await import('./commands/features.js');
    if (!made) context.subscriptions.push((made = new Features(services)));
    return made;
  };
}

/** Tells VS Code what there is. */
function register(services: ActiveServices, features: () => Promise<Features>): void {
  const { context, log, store, colours, tree } = services;
  const traces = lazily(async () => (await features()).services.traces);
  const atlases = lazily(async () => (await features()).services.atlasEditor);
  context.subscriptions.push(
    new RoutingDecorations(store, colours),
    followSource(services),
    followRuns(store),
    registerCommands(context, log, features, { 'gander.routeSelection': () => readModel(services) }),
    registerTools(context, features),
    offerMcpServer(context, services.engines),
    vscode.languages.registerHoverProvider('*', new RoutingHover(store, colours, services.atlases)),
    tree.show(),
    vscode.window.registerWebviewPanelSerializer(panelType, {
      deserializeWebviewPanel: async (panel, state) => (await features()).services.panels.restore(panel, state),
    }),
    ...[traceType, importType].map((viewType) => vscode.window.registerCustomEditorProvider(viewType, traces, several)),
    vscode.window.registerCustomEditorProvider(atlasType, atlases, several),
  );
}

/** To read a model takes as long as to load what shows it, and goes on beside it. A server is only asked once there is a text. */
function readModel({ engines, service }: ActiveServices): void {
  if (engines.address !== undefined || !vscode.window.activeTextEditor) return;
  // Whoever asks next is told what is wrong.
  service.describe().catch(() => undefined);
}

const several = { supportsMultipleEditorsPerDocument: true };

/** The status bar, what the welcome of the tree says where there is no source, and whether its menu compares experts. */
function followSource({ engines, service, store, colours, tree }: ActiveServices): vscode.Disposable {
  const status = new StatusBar(engines, store, colours, tree);
  const unlisten = service.onDescribed((source) => {
    status.show(source);
    const missing = source === undefined ? (engines.address === undefined ? 'pool' : 'server') : undefined;
    void vscode.commands.executeCommand('setContext', 'gander.missing', missing);
    void vscode.commands.executeCommand('setContext', 'gander.comparable', source?.can.similarity === true);
  });
  return vscode.Disposable.from(status, { dispose: unlisten });
}

/** Context keys: what menus show, and what the walkthrough ticks off. */
function followRuns(store: RoutingStore): vscode.Disposable {
  const known = new Map<string, boolean>();
  const unlisten = store.onChange(() => {
    const main = store.latest?.main;
    const now = { 'gander.routed': main?.trace !== undefined, 'gander.whatIf': isAsked(main) };
    for (const [key, value] of Object.entries(now)) {
      if (known.get(key) === value) continue;
      known.set(key, value);
      void vscode.commands.executeCommand('setContext', key, value);
    }
  });
  return new vscode.Disposable(unlisten);
}

/** What other extensions get. */
function apiOf({ context, service, runs }: ActiveServices): GanderApi {
  const routed = new vscode.EventEmitter<RoutedEvent>();
  const unlisten = runs.onDidRoute(({ uri, version, span }, trace) => {
    routed.fire({ uri, version, ...span, trace });
  });
  context.subscriptions.push(routed, new vscode.Disposable(unlisten));
  return {
    version: 1,
    onDidRoute: routed.event,
    async route(text, options = {}) {
      // Loaded late, because the validator takes longer to load than all the rest.
      const { checkedOptions, checkedText } = await import('./requests/schemas.js');
      const asked = checkedText(text);
      const { strategy, interventions, target, ...run } = checkedOptions(options);
      return service.route(
        {
          text: asked,
          ...(target !== undefined && { target }),
          strategy: strategy ?? preferredStrategy(await service.describe()),
          interventions: interventions ?? [],
        },
        run,
      );
    },
  };
}

/** A viewer of files that is created when the first file is opened. */
function lazily<D extends vscode.CustomDocument>(
  viewer: () => Promise<vscode.CustomReadonlyEditorProvider<D>>,
): vscode.CustomReadonlyEditorProvider<D> {
  return {
    openCustomDocument: async (...opened) => (await viewer()).openCustomDocument(...opened),
    resolveCustomEditor: async (...shown) => (await viewer()).resolveCustomEditor(...shown),
  };
}

/** Whether a what-if was asked: an intervention or an attribution. */
function isAsked(main: NonNullable<RoutingStore['latest']>['main'] | undefined): boolean {
  return main !== undefined && (main.interventions.length > 0 || main.attribution !== undefined);
}

/** For `npm start`: opens the first sample and routes it. */
async function startWithSample(log: vscode.LogOutputChannel): Promise<void> {
  const samples = await vscode.workspace.findFiles('**/*.{md,html,py,sql,txt}', undefined, 50);
  const first = samples.sort(
    (a, b) => Number(b.path.endsWith('.md')) - Number(a.path.endsWith('.md')) || a.path.localeCompare(b.path),
  )[0];
  if (!first) {
    log.warn('There is no sample in the workspace.');
    return;
  }
  await vscode.window.showTextDocument(first);
  await vscode.commands.executeCommand('gander.routeSelection');
}
