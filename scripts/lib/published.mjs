// Where Gander is published: all addresses in packages derive from the repository's.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './main.mjs';

/** package.json of this repository. @returns {Record<string, any> & { version: string, repository?: { url: string } }} */
export const manifest = () => JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

/** The repository's address: package.json's, or on GitHub that of the repository that builds; undefined if neither is known. */
export function repository() {
  const here = process.env['GITHUB_REPOSITORY'];
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
 * A README for a page outside the repository: links to the repository's files become addresses. If it has no address, those of
 * the package's own files stay, and others become plain text.
 * @param {string} text @param {string} folder of the README, in the repository
 * @param {(file: string) => boolean} [has] whether the package has a file
 */
export function readmeOutside(text, folder, has = () => false) {
  const url = repository();
  const { version } = manifest();
  return text.replace(/(!?)\[([^\]]*)\]\((?!\w+:|#)([^)\s]+)\)/g, (whole, picture, label, link) => {
    const [file = '', anchor] = link.split('#');
    const at = path.posix.join(folder, file);
    if (url === undefined) return has(at) ? whole : picture ? '' : label;
    const place = `${url}/${picture ? 'raw' : 'blob'}/v${version}/${at}${anchor === undefined ? '' : `#${anchor}`}`;
    return `${picture}[${label}](${place})`;
  });
}
