import { homedir } from 'node:os';
import path from 'node:path';
import { bundledModels } from '../product/bundled.js';

/** The pool that ships with Gander, used if no other model is named. @param bundle folder of the running bundle, `dist` */
export function bundledPool(bundle: string): string {
  return bundledFolders(bundle)[0]!;
}

/** All models that ship, the pool first. @param bundle as in `bundledPool` */
export function bundledFolders(bundle: string): string[] {
  return bundledModels.map(({ folder }) => path.resolve(bundle, '..', 'models', folder));
}

/** The atlases that ship are in it. @param bundle as in `bundledPool` */
export function bundledAtlases(bundle: string): string {
  return path.resolve(bundle, '..', 'atlases');
}

/** Where this platform keeps files that can be made again. */
export function cacheFolder(
  platform: NodeJS.Platform = process.platform,
  env: NodeJS.ProcessEnv = process.env,
  home: string = homedir(),
): string {
  switch (platform) {
    case 'darwin':
      return path.join(home, 'Library', 'Caches', 'gander');
    case 'win32':
      return path.join(env['LOCALAPPDATA'] ?? path.join(home, 'AppData', 'Local'), 'gander', 'Cache');
    default: {
      // The XDG specification: a relative path must be ignored.
      const xdg = env['XDG_CACHE_HOME'];
      return path.join(xdg && path.isAbsolute(xdg) ? xdg : path.join(home, '.cache'), 'gander');
    }
  }
}
