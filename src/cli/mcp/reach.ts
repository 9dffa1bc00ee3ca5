/** What agents can reach through `gander mcp`: the models, folders and atlases named at its start, and what ships. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { isOf } from '../../atlas/isOf.js';
import { AtlasReader } from '../../atlas/client.js';
import { readAbout } from '../../atlas/files/folder.js';
import { folderEnding } from '../../atlas/place.js';
import type { SourceDescription } from '../../requests/description.js';
import { findShared } from '../../files/shared.js';
import { LateSource } from '../../source/late.js';
import { isServerAddress, serverAddress } from '../../source/serverAddress.js';
import type { OfferedModel } from '../../tools/model.js';
import type { Reach, ReachedAtlas } from '../../tools/reach.js';
import { sharedPath } from '../../tools/shared.js';
import { KeptRuns } from '../../tools/runs.js';
import type { Context } from '../command.js';
import { readText } from '../input.js';
import { bundledAtlases, bundledFolders, bundledPool } from '../paths.js';

/** @param bundle folder of the running bundle, `dist` */
export function reachOf(context: Context, bundle: string): Reach & { dispose(): void } {
  const { args } = context;
  const models = modelsOf(context, bundle);
  const folders = args.list('folder').map((folder) => path.resolve(folder));
  const atlases = [...args.list('atlas').map((folder) => path.resolve(folder)), ...shippedAtlases(bundle)];
  const readers = new Map<string, AtlasReader>();
  return {
    models: () => models,
    runs: new KeptRuns(),
    async readText(named) {
      const file = sharedPath(named, folders, await findShared(named, folders));
      return { path: file, text: readText(file) };
    },
    atlasOf: (source) => Promise.resolve(atlasOf(source, atlases, readers, bundle)),
    dispose: () => readers.forEach((reader) => reader.dispose()),
  };
}

/** The model that the options choose comes first. */
function modelsOf({ args, open, openOther }: Context, bundle: string): OfferedModel[] {
  const address = args.text('engine');
  const chosen = address ?? path.resolve(args.text('model') ?? args.text('pool') ?? bundledPool(bundle));
  const others = args.list('with-engine').map((one) => (isServerAddress(one) ? one : path.resolve(one)));
  const shipped = bundledFolders(bundle).filter((folder) => existsSync(folder));
  const all = [...new Set([chosen, ...others, ...shipped])];
  const ids: string[] = [];
  return all.map((one, i) => {
    const server = i === 0 ? address : isServerAddress(one) ? one : undefined;
    const id = unused(server === undefined ? path.basename(one) : new URL(serverAddress(server)).host, ids);
    ids.push(id);
    const opened = i === 0 ? () => open() : () => openOther(one);
    return {
      id,
      ...(server !== undefined && { address: serverAddress(server) }),
      source: new LateSource(async () => (await opened()).engine),
    };
  });
}

function unused(name: string, ids: readonly string[]): string {
  for (let n = 1; ; n++) {
    const id = n === 1 ? name : `${name}-${n}`;
    if (!ids.includes(id)) return id;
  }
}

function shippedAtlases(bundle: string): string[] {
  const all = bundledAtlases(bundle);
  if (!existsSync(all)) return [];
  const names = readdirSync(all).filter((name) => name.endsWith(folderEnding));
  return names.map((name) => path.join(all, name));
}

function atlasOf(
  source: SourceDescription,
  folders: readonly string[],
  readers: Map<string, AtlasReader>,
  bundle: string,
): ReachedAtlas | undefined {
  for (const folder of folders) {
    const about = readAbout(folder);
    if (!isOf(about.run, source)) continue;
    const reader = readers.get(folder) ?? new AtlasReader(folder, { entry: path.join(bundle, 'atlas.cjs') });
    readers.set(folder, reader);
    return { folder, about, rows: (table, where) => reader.ask('rows', { table, where }) };
  }
  return undefined;
}
