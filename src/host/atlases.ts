import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import type { About } from '../atlas/about.js';
import { isOf } from '../atlas/isOf.js';
import type { OpenedAtlas } from '../atlas/calls.js';
import type { AtlasReader } from '../atlas/client.js';
import { folderEnding } from '../atlas/place.js';
import type { OwnName, UnitKey } from '../atlas/protocol.js';
import type { Row } from '../atlas/tables/table.js';
import { GanderError } from '../errors/errors.js';
import type { SourceDescription } from '../requests/description.js';
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

/** What the atlas of the model in use says about an expert. */
export interface AtlasUnit {
  readonly key: UnitKey;
  /** The person's own, or the label in which the unit is specialised; undefined if it has neither. */
  readonly name: string | undefined;
  readonly load: number;
  readonly chance: number;
}

export interface FoundAtlas {
  readonly folder: string;
  readonly opened: OpenedAtlas;
}

/** The atlas that belongs to the model in use. */
interface Present {
  readonly folder: string;
  /** Rows of its table. */
  readonly experts: readonly Row[];
  readonly units: ReadonlyMap<string, AtlasUnit>;
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
    service: RoutingService,
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
    if (this.#source && isOf(opened.about.run, this.#source)) this.#use(folder, opened);
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
    if (this.#present?.folder === folder) this.#use(folder, { experts: this.#present.experts, names });
  }

  /** What is known of an expert. @param layer undefined: over all layers, of which a pool has the same experts */
  unit(layer: Layer | undefined, expert: string): AtlasUnit | undefined {
    const stacks = layer ? [layer.stack] : [undefined, 'encoder' as const, 'decoder' as const];
    for (const stack of stacks) {
      const found = this.#present?.units.get(unitId(stack ?? null, layer?.layer ?? null, expert));
      if (found) return found;
    }
    return undefined;
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
    const known = this.#known.filter(({ model }) => isOf(model, source)).map(({ folder }) => folder);
    for (const folder of [...known, ...(await this.#shippedOf(source))]) {
      const opened = await this.#tried(folder);
      if (opened && isOf(opened.about.run, source)) return { folder, opened };
    }
    return undefined;
  }

  async #follow(source: SourceDescription | undefined): Promise<void> {
    this.#set(undefined);
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

  /** Those that ship with Gander are known to be sound. */
  async #shippedOf(source: SourceDescription): Promise<string[]> {
    const all = this.context.asAbsolutePath('atlases');
    const names = await readdir(all).catch(() => []);
    const folders = names.filter((name) => name.endsWith(folderEnding)).map((name) => path.join(all, name));
    const abouts = folders.map(
      async (folder) => JSON.parse(await readFile(path.join(folder, 'atlas.json'), 'utf8')) as About,
    );
    const runs = await Promise.all(abouts);
    return folders.filter((_, i) => isOf(runs[i]!.run, source));
  }

  #use(folder: string, { experts, names }: Pick<OpenedAtlas, 'experts' | 'names'>): void {
    this.#set({ folder, experts, units: unitsOf(experts, names) });
  }

  #set(present: Present | undefined): void {
    if (present === this.#present) return;
    this.#present = present;
    void vscode.commands.executeCommand('setContext', 'gander.atlas', present !== undefined);
    this.#changed.fire();
  }
}

function unitsOf(experts: readonly Row[], names: readonly OwnName[]): ReadonlyMap<string, AtlasUnit> {
  const own = new Map(names.filter(({ name }) => name !== '').map((one) => [unitKey(one), one.name]));
  return new Map(
    experts.map((row) => {
      const unit = keyOf(row);
      const name = own.get(unitKey(unit)) ?? textIn(row, 'label');
      const { load, chance } = row;
      return [
        unitId(unit.stack, unit.layer, textIn(row, 'name') ?? ''),
        { key: unit, name, load: Number(load), chance: Number(chance) },
      ];
    }),
  );
}

function keyOf({ stack, layer, expert }: Row): UnitKey {
  return { stack: stack as UnitKey['stack'], layer: layer as number | null, expert: Number(expert) };
}

const textIn = (row: Row, column: string) => (typeof row[column] === 'string' ? row[column] : undefined);

const unitKey = ({ stack, layer, expert }: UnitKey) => JSON.stringify([stack, layer, expert]);

/** By id, because a trace and an atlas may list a layer's experts in different order. */
const unitId = (stack: UnitKey['stack'], layer: number | null, expert: string) =>
  JSON.stringify([stack, layer, expert]);
