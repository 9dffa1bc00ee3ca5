import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import type { About } from '../atlas/about.js';
import type { OpenedAtlas } from '../atlas/calls.js';
import type { AtlasReader } from '../atlas/client.js';
import { folderEnding } from '../atlas/place.js';
import type { OwnName } from '../atlas/protocol.js';
import { unitKeyIn } from '../atlas/tables/cells.js';
import type { Row } from '../atlas/tables/table.js';
import { GanderError } from '../errors/errors.js';
import { type AtlasUnit, type ModelAtlas, unitId, UnitsById } from '../protocol/atlas.js';
import { isSameModel, type SourceDescription } from '../requests/description.js';
import type { RoutingService } from '../routing/service.js';
import type { Layer } from '../trace/model/access.js';

/** An atlas that was opened or made here, and the model that it is of. */
interface KnownAtlas {
  readonly folder: string;
  readonly model: Pick<About['run'], 'name' | 'hash'>;
}

const key = 'gander.atlases';

/** How many atlases are remembered, the latest first. */
const mostKnown = 50;

/** An atlas that a person can choose by its name. */
export interface OfferedAtlas {
  readonly folder: string;
  /** Name of the model that it is of. */
  readonly model: string;
  /** Whether it came with Gander. */
  readonly ships: boolean;
}

export interface FoundAtlas {
  readonly folder: string;
  readonly opened: OpenedAtlas;
}

/** The atlas that belongs to the model in use. */
interface Present {
  readonly folder: string;
  readonly about: About;
  /** Rows of its table. */
  readonly experts: readonly Row[];
  readonly atlas: ModelAtlas;
  readonly units: UnitsById;
}

/** Reads atlases, keeps people's names in them, and knows the one that belongs to the model in use. */
export class Atlases implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<void>();
  /** Fires when something else is known of the experts of the model in use. */
  readonly onDidChange = this.#changed.event;
  readonly #named = new vscode.EventEmitter<{ readonly folder: string; readonly names: readonly OwnName[] }>();
  readonly onDidName = this.#named.event;
  readonly #readers = new Map<string, AtlasReader>();
  readonly #unlisten: () => void;
  #source: SourceDescription | undefined;
  #present: Present | undefined;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly service: RoutingService,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.#unlisten = service.onDescribed((source) => {
      this.#source = source;
      void this.#follow(source);
    });
  }

  /** The folder of the atlas that belongs to the model in use. */
  get present(): string | undefined {
    return this.#present?.folder;
  }

  /** Rejects with a GanderError. */
  async open(folder: string): Promise<OpenedAtlas> {
    const opened = await (await this.reader(folder)).ask('open', {});
    const { name, hash } = opened.about.run;
    const others = this.#known.filter((one) => one.folder !== folder);
    await this.#remember([{ folder, model: { name, hash } }, ...others]);
    if (this.#source && isSameModel(opened.about.run, this.#source)) this.#use(folder, opened);
    return opened;
  }

  /** The process that reads an atlas; it starts with the first question. */
  async reader(folder: string): Promise<AtlasReader> {
    const { AtlasReader } = await import('../atlas/client.js');
    let reader = this.#readers.get(folder);
    if (!reader) {
      reader = new AtlasReader(folder, { entry: this.context.asAbsolutePath(path.join('dist', 'atlas.cjs')) });
      this.#readers.set(folder, reader);
    }
    return reader;
  }

  /** Gives a unit a name and a note, in the atlas. Rejects with a GanderError. */
  async name(folder: string, name: OwnName): Promise<void> {
    const names = await (await this.reader(folder)).ask('name', { name });
    this.#named.fire({ folder, names });
    if (this.#present?.folder === folder) this.#use(folder, { ...this.#present, names });
  }

  /** What the routing page is told of it. */
  get atlas(): ModelAtlas | undefined {
    return this.#present?.atlas;
  }

  /** What is known of an expert. @param layer undefined: over all layers, of which a pool has the same experts */
  unit(layer: Layer | undefined, expert: string): AtlasUnit | undefined {
    return this.#present?.units.of(layer, expert);
  }

  dispose(): void {
    this.#unlisten();
    for (const reader of this.#readers.values()) reader.dispose();
    this.#changed.dispose();
    this.#named.dispose();
  }

  get #known(): readonly KnownAtlas[] {
    return this.context.globalState.get<readonly KnownAtlas[]>(key, []);
  }

  async #remember(known: readonly KnownAtlas[]): Promise<void> {
    await this.context.globalState.update(key, known.slice(0, mostKnown));
  }

  /** The atlas of a model: one of those that were opened or made here, or else of those that ship. */
  async find(source: SourceDescription): Promise<FoundAtlas | undefined> {
    const candidates = [...this.#known, ...(await this.#shipped())];
    for (const { folder } of candidates.filter(({ model }) => isSameModel(model, source))) {
      const opened = await this.#tried(folder);
      if (opened && isSameModel(opened.about.run, source)) return { folder, opened };
    }
    return undefined;
  }

  async #follow(source: SourceDescription | undefined): Promise<void> {
    this.#set(undefined);
    // Another process beside a model that is being loaded would make the person wait longer.
    await this.service.idle();
    const found = source && (await this.find(source));
    if (found && this.#source === source && !this.#present) this.#use(found.folder, found.opened);
  }

  /** One that cannot be opened is no reason to bother anybody, who has not asked for it. */
  async #tried(folder: string): Promise<OpenedAtlas | undefined> {
    try {
      return await (await this.reader(folder)).ask('open', {});
    } catch (thrown) {
      this.log.info(`${folder} is not used: ${GanderError.from(thrown).message}`);
      await this.#remember(this.#known.filter((one) => one.folder !== folder));
      return undefined;
    }
  }

  /** The one of the model in use, then those that were opened or made here and are still there, the latest first, then those that ship. */
  async offered(): Promise<OfferedAtlas[]> {
    const shipped = await this.#shipped();
    const others = this.#known.filter(
      ({ folder }) => existsSync(path.join(folder, 'atlas.json')) && !shipped.some((one) => one.folder === folder),
    );
    const all = [
      ...others.map(({ folder, model }) => ({ folder, model: model.name, ships: false })),
      ...shipped.map(({ folder, model }) => ({ folder, model: model.name, ships: true })),
    ];
    const isPresent = ({ folder }: OfferedAtlas) => folder === this.present;
    return [...all.filter(isPresent), ...all.filter((one) => !isPresent(one))];
  }

  /** Those that ship with Gander are known to be sound. */
  async #shipped(): Promise<KnownAtlas[]> {
    const all = this.context.asAbsolutePath('atlases');
    const names = await readdir(all).catch(() => []);
    const folders = names.filter((name) => name.endsWith(folderEnding)).map((name) => path.join(all, name));
    return Promise.all(
      folders.map(async (folder) => {
        const { run } = JSON.parse(await readFile(path.join(folder, 'atlas.json'), 'utf8')) as About;
        return { folder, model: run };
      }),
    );
  }

  #use(folder: string, { about, experts, names }: Pick<OpenedAtlas, 'about' | 'experts' | 'names'>): void {
    const { run, totals } = about;
    const atlas: ModelAtlas = {
      model: { name: run.name, hash: run.hash },
      router: { name: run.router.name, k: run.router.k },
      documents: totals.documents,
      units: unitsOf(experts, names),
    };
    this.#set({ folder, about, experts, atlas, units: new UnitsById(atlas.units) });
  }

  #set(present: Present | undefined): void {
    if (present === this.#present) return;
    this.#present = present;
    void vscode.commands.executeCommand('setContext', 'gander.atlas', present !== undefined);
    this.#changed.fire();
  }
}

function unitsOf(experts: readonly Row[], names: readonly OwnName[]): AtlasUnit[] {
  const own = new Map(names.filter(({ name }) => name !== '').map((one) => [unitId(one), one.name]));
  return experts.map((row) => {
    const key = unitKeyIn(row);
    const given = own.get(unitId(key));
    const name = given ?? textIn(row, 'label');
    const [low, high] = [numberIn(row, 'low'), numberIn(row, 'high')];
    const { load, chance } = row;
    return {
      key,
      id: textIn(row, 'name') ?? '',
      ...(name !== undefined && { name }),
      ...(given !== undefined && { isOwn: true as const }),
      load: Number(load),
      low,
      high,
      chance: Number(chance),
    };
  });
}

const textIn = (row: Row, column: string) => (typeof row[column] === 'string' ? row[column] : undefined);

const numberIn = (row: Row, column: string) => (Number.isFinite(row[column]) ? (row[column] as number) : null);
