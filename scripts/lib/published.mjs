// Where Gander is published: all addresses in packages derive from the repository's.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './main.mjs';

/** package.json of this repository. */
export const manifest = () => JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

/** The repository's address: package.json's, or on GitHub that of the repository that builds; undefined if neither is known. */
export function repository() {
  const here = process.env['GITHUB_REPOSITORY'];
  /** @type {string | undefined} */
  const named = manifest().repository?.url;
  return named?.replace(/^git\+|\.git$/g, '') ?? (here && `https://github.com/${here}`);
}

/** What a package says about where it is from; nothing, if that is not known. */
export function addresses() {
  const url = repository();
  if (url === undefined) return {};
  return {
    repository: { type: 'git', url: `git+${url}.git` },
    bugs: { url: `${url}/issues` },
    homepage: `${url}#readme`,
  };
}

/**
 * A README for a page outside the repository: links to its files become addresses, or plain text if it has none.
 * @param {string} text @param {string} [folder] of the README, in the repository
 */
export function readmeOutside(text, folder = '') {
  const url = repository();
  const { version } = manifest();
  return text.replace(/(!?)\[([^\]]*)\]\((?!\w+:|#)([^)\s]+)\)/g, (_, picture, label, link) => {
    if (url === undefined) return picture ? '' : label;
    const [file = '', anchor] = link.split('#');
    const at = path.posix.join(folder, file);
    const place = `${url}/${picture ? 'raw' : 'blob'}/v${version}/${at}${anchor === undefined ? '' : `#${anchor}`}`;
    return `${picture}[${label}](${place})`;
  });
}
