import * as vscode from 'vscode';
import { megabytes, numbers } from '../host/numbers.js';
import type { Atlases } from '../host/atlases.js';
import type { AtlasMaking, UnfinishedAtlas } from '../host/atlasMaking.js';
import type { AtlasUnit } from '../protocol/atlas.js';
import { type Colours, expertName, layerName } from '../host/colours.js';
import type { EngineHost } from '../host/engineHost.js';
import { counted, warningCount, word } from '../host/words.js';
import type { RoutingService } from '../routing/service.js';
import type { DocumentRouter } from '../host/documentRouter.js';
import { documentOf } from '../host/texts.js';
import type { Routed, RoutingStore } from '../routing/store.js';
import { GanderError } from '../errors/errors.js';
import { colourCount, expertStyle, quiet } from '../look/palette.js';
import { says } from '../look/names.js';
import { labelledName } from '../look/shortLabels.js';
import { chanceLoadOf, load } from '../statistics/load.js';
import type { Layer } from '../trace/model/access.js';
import { slotsIn } from '../trace/figures/colours.js';
import { type ColourChoice, shownBy } from '../trace/figures/colouring.js';
import { layerText, plain, tokenLabel } from '../trace/text/label.js';
import { layerKey, shownExpertsOf } from '../trace/model/shownExperts.js';
import type { Trace } from '../trace/model/trace.js';
import { knockedOut, type Usage, usage } from '../trace/figures/usage.js';
import {
  groupsOf,
  layersLed,
  listedTokens,
  type Node,
  type NodeOf,
  modulesLed,
  tokensLed,
  treeModules,
} from './nodes.js';
import { type ExpertLayer, layerExperts, expertLayer, expertLayers, layerExpertTokens } from './layerExperts.js';

/** Least time between two drawings, in milliseconds. */
const every = 250;

export interface TreeServices {
  readonly service: RoutingService;
  readonly store: RoutingStore;
  readonly engines: EngineHost;
  readonly colours: Colours;
  readonly atlases: Atlases;
  readonly making: AtlasMaking;
  readonly documentRouter: DocumentRouter;
}

/** What the panels show. */
export interface Showing {
  /** The range that a person sees in one; undefined: none is in sight. */
  readonly shown: Routed | undefined;
  readonly onDidChangeShown: vscode.Event<void>;
}

/** Pools and their experts; for the run on show, where each expert leads and which tokens it took. */
export class ExpertTree implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  static readonly viewId = 'gander.experts';
  readonly #changed = new vscode.EventEmitter<Node | undefined>();
  readonly #subscriptions: vscode.Disposable[];
  readonly #usage = new WeakMap<Trace, Usage>();
  #timer: NodeJS.Timeout | undefined;
  #panels: Showing | undefined;
  #view: vscode.TreeView<Node> | undefined;
  /** What was drawn last. */
  #drawn: { readonly trace: Trace | undefined; readonly title: string | undefined } = {
    trace: undefined,
    title: undefined,
  };

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(
    private readonly services: TreeServices,
    private readonly log: vscode.LogOutputChannel,
  ) {
    const { engines, store, colours, atlases, making } = services;
    this.#subscriptions = [
      making.onDidChange(() => this.#redraw()),
      atlases.onDidChange(() => this.refresh()),
      engines.onDidChangePool(() => this.refresh()),
      colours.onDidChange(() => this.refresh()),
      new vscode.Disposable(store.onChange(() => this.#traceChanged())),
      vscode.window.onDidChangeActiveTextEditor(() => this.#traceChanged()),
      vscode.window.onDidChangeTextEditorSelection(() => this.#traceChanged()),
    ];
  }

  /** Shows it in its view, whose heading names the text that the numbers are of. */
  show(): vscode.Disposable {
    this.#view = vscode.window.createTreeView(ExpertTree.viewId, { treeDataProvider: this, showCollapseAll: true });
    return this.#view;
  }

  /** From now on it is about what a panel shows, while one is in sight. */
  follow(panels: Showing): vscode.Disposable {
    this.#panels = panels;
    return panels.onDidChangeShown(() => this.#traceChanged());
  }

  /** The range that it is about: the one in the panel, or else the one at the cursor, or the last one. */
  get routed(): Routed | undefined {
    return this.#panels?.shown ?? this.services.documentRouter.current();
  }

  /** What its view says beside its name. */
  get heading(): string | undefined {
    return this.#view?.description;
  }

  refresh(): void {
    this.#drawn = { trace: this.#trace, title: this.#title };
    if (this.#view) this.#view.description = this.#title ?? '';
    this.#changed.fire(undefined);
  }

  async getChildren(node?: Node): Promise<Node[]> {
    if (!node) return this.#roots();
    const trace = this.#trace;
    const shared = trace && treeModules(trace);
    switch (node.kind) {
      case 'pool':
        return [
          ...node.pool.experts.map((expert, index): Node => ({
            kind: 'expert',
            expert,
            index,
            label: labelledName(node.pool.experts, index),
          })),
          ...warningsOf(node),
        ];
      case 'model':
        return [...(trace && !shared ? expertLayers(trace) : []), ...warningsOf(node)];
      case 'expert-layer':
        return trace ? layerExperts(trace, node.layer) : [];
      case 'layer-expert':
        return trace ? layerExpertTokens(trace, node.layer, node.expert) : [];
      case 'expert': {
        const index = this.#indexIn(trace, node.expert.id);
        return trace && shared && index >= 0 ? groupsOf(trace, shared, index) : [];
      }
      case 'layers':
        return trace && shared ? layersLed(trace, shared, node.expert) : [];
      case 'tokens':
        return trace ? tokensLed(trace, node.expert) : [];
      case 'layer':
        return trace && shared ? modulesLed(trace, shared, node.expert, node.layer) : [];
      case 'module':
        return trace ? tokensLed(trace, node.expert, node.module) : [];
      case 'atlas':
      case 'token':
      case 'warning':
        return [];
    }
  }

  getTreeItem(node: Node): vscode.TreeItem {
    switch (node.kind) {
      case 'atlas':
        return atlasItem(node.atlas);
      case 'pool':
        return poolItem(node);
      case 'model':
        return modelItem(node, this.services.engines.address === undefined ? 'gander.model' : 'gander.server');
      case 'expert-layer':
        return this.#expertLayerItem(node);
      case 'layer-expert':
        return this.#layerExpertItem(node);
      case 'expert':
        return this.#expertItem(node);
      case 'warning':
        return warningItem(node.text, node.index);
      case 'layers':
        return groupItem(vscode.l10n.t('Layers where it leads'), 'layers', node);
      case 'tokens':
        return groupItem(vscode.l10n.t('Tokens it took'), 'symbol-text', node);
      case 'layer':
        return countItem(vscode.l10n.t('Layer {0}', layerText(node.layer)), node);
      case 'module':
        return countItem(this.#trace?.modules[node.module]?.path ?? '', node);
      case 'token':
        return this.#tokenItem(node);
    }
  }

  dispose(): void {
    clearTimeout(this.#timer);
    vscode.Disposable.from(this.#changed, ...this.#subscriptions).dispose();
  }

  get #trace(): Trace | undefined {
    return this.routed?.main.trace;
  }

  /** Of the text whose numbers it shows; undefined: it shows none. */
  get #title(): string | undefined {
    return this.#trace && this.routed?.main.title;
  }

  #traceChanged(): void {
    // While a text is being routed, the panel shows its progress; redrawing here too would take cores from the engine.
    const { trace, title } = this.#drawn;
    if ((this.#trace !== trace || this.#title !== title) && !this.routed?.main.running) this.#redraw();
  }

  /** Not more often than one can read. */
  #redraw(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.refresh();
    }, every);
  }

  async #roots(): Promise<Node[]> {
    const atlases = this.services.making.unfinished.map((atlas): Node => ({ kind: 'atlas', atlas }));
    return [...atlases, ...(await this.#source())];
  }

  /** Empty if there is nothing to run; the view's welcome text then says what to do. */
  async #source(): Promise<Node[]> {
    const { service } = this.services;
    try {
      const { name, warnings } = await service.describe();
      const trace = this.#trace;
      const pool = trace && shownExpertsOf(trace)?.layer ? undefined : await service.pool().catch(() => undefined);
      return [pool ? { kind: 'pool', pool, warnings } : { kind: 'model', name, warnings }];
    } catch (thrown) {
      const error = GanderError.from(thrown);
      this.log.warn(`The pool could not be read: ${error.message} ${error.remedy}`);
      return [];
    }
  }

  #indexIn(trace: Trace | undefined, id: string): number {
    return (trace && treeModules(trace))?.experts.findIndex((expert) => expert.id === id) ?? -1;
  }

  #expertLayerItem({ layer }: NodeOf<'expert-layer'>): vscode.TreeItem {
    const [trace, routed] = [this.#trace, this.routed];
    const own = trace && expertLayer(trace, layer);
    const item = new vscode.TreeItem(layerName(layer), vscode.TreeItemCollapsibleState.Collapsed);
    item.id = `layer ${layerKey(layer)}`;
    const isInColour = trace && routed ? isColoured(trace, this.services.colours.of(routed), layer) : false;
    item.iconPath = new vscode.ThemeIcon(isInColour ? 'symbol-color' : 'layers');
    item.command = {
      title: vscode.l10n.t('Colour Text By…'),
      command: 'gander.colourBy',
      arguments: [{ kind: 'expert-layer', layer }],
    };
    if (!own) return item;
    const { experts, effective, dead, cv } = load(own.usage.share, own.usage.chance);
    const chance = chanceLoadOf(own.usage);
    item.description = vscode.l10n.t('{0} of {1} in use', experts - dead.length, experts);
    item.tooltip = lines([
      layerName(layer),
      isInColour && vscode.l10n.t('Its experts colour the text'),
      vscode.l10n.t(
        'Effective number of experts: {0} (chance {1})',
        numbers.fixed(effective, 1),
        numbers.fixed(chance.effective, 1),
      ),
      vscode.l10n.t('Load CV: {0} (chance {1})', numbers.fixed(cv), numbers.fixed(chance.cv)),
      vscode.l10n.t('Dead experts: {0}', dead.length),
    ]);
    return item;
  }

  #layerExpertItem({ layer, expert }: NodeOf<'layer-expert'>): vscode.TreeItem {
    const trace = this.#trace;
    const own = trace && expertLayer(trace, layer);
    const name = own ? expertName(own.modules.set, expert) : '';
    const item = new vscode.TreeItem(name, vscode.TreeItemCollapsibleState.Collapsed);
    item.contextValue = 'gander.place';
    if (!own) return item;
    const share = numbers.percent(own.usage.share[expert]!);
    item.id = `layer ${layerKey(layer)} expert ${expert}`;
    const unit = this.services.atlases.unit(layer, own.modules.experts[expert]!.id);
    item.description = withName(share, name, unit) + this.#knockedOut(own, expert);
    item.tooltip = lines([
      word('expertOfLayer', layerName(layer), name),
      vscode.l10n.t('Load in the last trace: {0} (chance {1})', share, numbers.percent(own.usage.chance[expert]!)),
      ...atlasLines(name, unit),
    ]);
    item.iconPath = expertIcon(slotsIn(trace, own.modules.set)[expert]!);
    item.accessibilityInformation = {
      label: `${word('expertOfLayer', layerName(layer), name)}, ${item.description}`,
    };
    return item;
  }

  #expertItem({ expert, index, label }: NodeOf<'expert'>): vscode.TreeItem {
    const trace = this.#trace;
    const inTrace = this.#indexIn(trace, expert.id);
    const slot = this.#slotOf(trace, inTrace, index);
    const item = new vscode.TreeItem(
      slot === quiet ? expert.name : label,
      inTrace >= 0 ? vscode.TreeItemCollapsibleState.Collapsed : vscode.TreeItemCollapsibleState.None,
    );
    item.id = `expert ${expert.id}`;
    const used = trace && inTrace >= 0 ? this.#usageOf(trace) : undefined;
    const share = used && numbers.percent(used.share[inTrace]!);
    const unit = this.services.atlases.unit(undefined, expert.id);
    const shared = trace && treeModules(trace);
    const out = used && shared ? this.#knockedOut({ modules: shared, usage: used }, inTrace) : '';
    item.description = withName(share, expert.name, unit) + out;
    item.tooltip = lines([
      expert.name,
      expert.description,
      used && vscode.l10n.t('Load in the last trace: {0} (chance {1})', share!, numbers.percent(used.chance[inTrace]!)),
      expert.datasets?.length && vscode.l10n.t('Data: {0}', expert.datasets.join(', ')),
      expert.license && vscode.l10n.t('Licence: {0}', expert.license),
      vscode.l10n.t('Rank {0}, {1}', expert.rank, megabytes(expert.bytes)),
      ...atlasLines(expert.name, unit),
    ]);
    item.iconPath = expertIcon(slot);
    item.contextValue = expert.card ? 'gander.expert.card' : 'gander.expert';
    item.accessibilityInformation = { label: [expert.name, item.description].filter(Boolean).join(', ') };
    return item;
  }

  #knockedOut({ modules, usage }: ExpertLayer, expert: number): string {
    const trace = this.#trace;
    const out = trace && knockedOut(trace, modules, usage)[expert];
    return out ? ` · ${word(out === 'all' ? 'knockedOut' : 'knockedOutPart')}` : '';
  }

  #tokenItem({ token, share, of }: NodeOf<'token'>): vscode.TreeItem {
    const { routed } = this;
    const sequence = routed?.main.trace?.sequences[0];
    const item = new vscode.TreeItem(sequence ? tokenLabel(sequence, token) : '');
    const line = routed && this.#lineOf(routed, token);
    const where = line !== undefined && vscode.l10n.t('line {0}', line);
    const percent = Number.isNaN(share) ? undefined : numbers.percent(share);
    item.description = [where, percent].filter(Boolean).join(' · ');
    item.tooltip = lines([
      vscode.l10n.t('Token {0}', token + 1),
      where,
      percent &&
        (of === 'choice'
          ? vscode.l10n.t('{0} of its choices', percent)
          : vscode.l10n.t('{0} of its routing weight', percent)),
    ]);
    if (routed) {
      item.command = {
        title: vscode.l10n.t('Show in Text'),
        command: 'gander.revealToken',
        arguments: [routed.id, token],
      };
    }
    return item;
  }

  /** The line in the document as it is now, from 1; undefined if the token is gone or the document is closed. */
  #lineOf({ id, uri }: Routed, token: number): number | undefined {
    const start = this.services.store.tokenSpans(id)?.start[token] ?? -1;
    const document = start < 0 ? undefined : documentOf(uri);
    return document && document.positionAt(start).line + 1;
  }

  /** The same colour as in panel and editor: if there are more experts than colours, by use in the last trace. */
  #slotOf(trace: Trace | undefined, inTrace: number, index: number): number {
    const shared = trace && inTrace >= 0 ? treeModules(trace) : undefined;
    if (shared) return slotsIn(trace!, shared.set)[inTrace]!;
    return index < colourCount ? index : quiet;
  }

  #usageOf(trace: Trace): Usage | undefined {
    const shared = treeModules(trace);
    let known = this.#usage.get(trace);
    if (!known && shared) this.#usage.set(trace, (known = usage(trace, shared)));
    return known;
  }
}

function atlasItem({ asked, title, isRunning, done, lines: all }: UnfinishedAtlas): vscode.TreeItem {
  const item = new vscode.TreeItem(vscode.l10n.t('Atlas {0}', title));
  item.id = `atlas ${asked.target}`;
  item.iconPath = new vscode.ThemeIcon(isRunning ? 'loading~spin' : 'debug-pause');
  item.description = done;
  item.tooltip = lines(all);
  item.contextValue = isRunning ? 'gander.atlas.running' : 'gander.atlas.begun';
  item.accessibilityInformation = { label: [all[0], done].filter(Boolean).join(', ') };
  return item;
}

function poolItem({ pool, warnings }: NodeOf<'pool'>): vscode.TreeItem {
  const item = new vscode.TreeItem(pool.name, vscode.TreeItemCollapsibleState.Expanded);
  item.id = 'pool';
  item.iconPath = rootIcon(warnings);
  item.description = counted('expertCount', pool.experts.length);
  if (warnings.length > 0) item.description += `, ${warningCount({ warnings })}`;
  item.tooltip = lines([
    pool.name,
    pool.description,
    vscode.l10n.t('Base: {0}', pool.baseName),
    pool.general && vscode.l10n.t('Subtracted from every expert: {0}', pool.general.join(', ')),
    pool.license && vscode.l10n.t('Licence: {0}', pool.license),
    pool.folder,
  ]);
  item.contextValue = 'gander.pool';
  return item;
}

function modelItem({ name, warnings }: NodeOf<'model'>, context: string): vscode.TreeItem {
  const item = new vscode.TreeItem(name, vscode.TreeItemCollapsibleState.Expanded);
  item.id = 'model';
  item.contextValue = context;
  item.iconPath = rootIcon(warnings);
  if (warnings.length > 0) item.description = warningCount({ warnings });
  item.tooltip = lines([name, vscode.l10n.t('Each layer has experts of its own. Route a text to see what they took.')]);
  return item;
}

function rootIcon(warnings: readonly unknown[]): vscode.ThemeIcon {
  return warnings.length > 0
    ? new vscode.ThemeIcon('warning', new vscode.ThemeColor('list.warningForeground'))
    : new vscode.ThemeIcon('type-hierarchy');
}

function expertIcon(slot: number): vscode.ThemeIcon {
  return slot === quiet
    ? new vscode.ThemeIcon('circle-outline')
    : new vscode.ThemeIcon('circle-filled', new vscode.ThemeColor(`gander.expert${expertStyle(slot).letter}`));
}

function isColoured(trace: Trace, choice: ColourChoice, one: Layer): boolean {
  const { by, layer } = shownBy(trace, choice);
  const shown = by === 'experts' ? shownExpertsOf(trace, layer)?.layer : undefined;
  return shown !== undefined && layerKey(shown) === layerKey(one);
}

function warningsOf({ warnings }: NodeOf<'pool' | 'model'>): Node[] {
  return warnings.map(({ text }, index) => ({ kind: 'warning', text, index }));
}

function groupItem(label: string, icon: string, { kind, count, of }: NodeOf<'layers' | 'tokens'>): vscode.TreeItem {
  const { Collapsed, None } = vscode.TreeItemCollapsibleState;
  const item = new vscode.TreeItem(label, count > 0 ? Collapsed : None);
  item.iconPath = new vscode.ThemeIcon(icon);
  item.description = vscode.l10n.t('{0} of {1}', count, of);
  if (kind === 'tokens' && count > listedTokens)
    item.tooltip = vscode.l10n.t('The {0} surest of {1} are listed; the panel has all.', listedTokens, count);
  return item;
}

function countItem(label: string, { count, of }: { readonly count: number; readonly of: number }): vscode.TreeItem {
  const item = new vscode.TreeItem(label, vscode.TreeItemCollapsibleState.Collapsed);
  item.description = vscode.l10n.t('{0} of {1}, {2}', count, of, numbers.percent(count / of));
  item.tooltip = counted('timesLed', count, of);
  item.contextValue = 'gander.place';
  return item;
}

function warningItem(text: string, index: number): vscode.TreeItem {
  const item = new vscode.TreeItem(text, vscode.TreeItemCollapsibleState.None);
  item.id = `warning ${index}`;
  item.iconPath = new vscode.ThemeIcon('warning', new vscode.ThemeColor('list.warningForeground'));
  item.tooltip = text;
  item.accessibilityInformation = { label: vscode.l10n.t('Warning: {0}', text) };
  return item;
}

/** An expert's share, if there is a run, and what the atlas calls it, unless its own name says that. */
function withName(share: string | undefined, own: string, unit: AtlasUnit | undefined): string {
  const called = unit?.name === undefined ? '' : plain(unit.name);
  return [share && vscode.l10n.t('load {0}', share), !says(own, called) && word('atlasCalled', called)]
    .filter(Boolean)
    .join(' · ');
}

function atlasLines(own: string, unit: AtlasUnit | undefined): string[] {
  if (!unit) return [];
  const [load, chance] = [numbers.percent(unit.load), numbers.percent(unit.chance)];
  const called = unit.name === undefined ? '' : plain(unit.name);
  const name =
    called === '' || says(own, called)
      ? []
      : [
          vscode.l10n.t('In the atlas: {0}', word('atlasNamed', own, called)),
          word(unit.isOwn ? 'atlasQuotedOwn' : 'atlasQuoted'),
        ];
  return [...name, vscode.l10n.t('Load in the atlas: {0} (chance {1})', load, chance)];
}

function lines(parts: readonly (string | number | false | undefined)[]): string {
  return parts.filter((part) => typeof part === 'string' && part !== '').join('\n');
}
