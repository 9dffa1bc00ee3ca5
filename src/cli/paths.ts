import { homedir } from 'node:os';
import path from 'node:path';

/** The atlases that ship are in it. @param bundle folder of the running bundle, `dist` */
export function bundledAtlases(bundle: string): string {
  return path.resolve(bundle, '..', 'atlases');
}

/** A folder of Gander's on this platform, if the user has not moved it by an XDG variable. */
interface Place {
  readonly darwin: readonly string[];
  readonly win32: readonly string[];
  readonly xdg: { readonly variable: string; readonly otherwise: readonly string[] };
}

const caches: Place = {
  darwin: ['Library', 'Caches', 'gander'],
  win32: ['gander', 'Cache'],
  xdg: { variable: 'XDG_CACHE_HOME', otherwise: ['.cache'] },
};

const data: Place = {
  darwin: ['Library', 'Application Support', 'gander'],
  win32: ['gander', 'Data'],
  xdg: { variable: 'XDG_DATA_HOME', otherwise: ['.local', 'share'] },
};

/** Where this platform keeps files that can be made again. */
export const cacheFolder = folderOf(caches);

/** Where this platform keeps what a program has fetched for good. */
export const dataFolder = folderOf(data);

function folderOf({ darwin, win32, xdg }: Place) {
  return (
    platform: NodeJS.Platform = process.platform,
    env: NodeJS.ProcessEnv = process.env,
    home: string = homedir(),
  ): string => {
    switch (platform) {
      case 'darwin':
        return path.join(home, ...darwin);
      case 'win32':
        return path.join(env['LOCALAPPDATA'] ?? path.join(home, 'AppData', 'Local'), ...win32);
      default: {
        // The XDG specification: a relative path must be ignored.
        const chosen = env[xdg.variable];
        return path.join(chosen && path.isAbsolute(chosen) ? chosen : path.join(home, ...xdg.otherwise), 'gander');
      }
    }
  };
}
