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
  return named?.replace(/^git\+|\.git$/g, '') ?? (here ? `https://github.com/${here}` : undefined);
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
 * A page without its links to the repository's files.
 * @param {string} text @param {string} folder of the page, in the repository
 * @param {(file: string, link: string, picture: string) => string | undefined} to where a link to a file leads; undefined: it becomes plain text
 */
function relinked(text, folder, to) {
  return text.replace(/(!?)\[([^\]]*)\]\((?!\w+:|#)([^)\s]+)\)/g, (_, picture, label, link) => {
    const file = path.posix.join(folder, link.split('#')[0]);
    const target = to(file, link, picture);
    return target === undefined ? (picture ? '' : label) : `${picture}[${label}](${target})`;
  });
}

/** A file's address at this version; undefined, if the repository's is not known. @param {string} file @param {string} link to it @param {string} picture */
function addressOf(file, link, picture) {
  const url = repository();
  const [, anchor] = link.split('#');
  const part = anchor === undefined ? '' : `#${anchor}`;
  return url && `${url}/${picture ? 'raw' : 'blob'}/v${manifest().version}/${file}${part}`;
}

/**
 * A README for a page outside the repository: links to the repository's files become addresses. If it has no address, those of
 * the package's own files stay, and others become plain text.
 * @param {string} text @param {string} folder of the README, in the repository
 * @param {(file: string) => boolean} [has] whether the package has a file
 */
export const readmeOutside = (text, folder, has = () => false) =>
  relinked(text, folder, (file, link, picture) => addressOf(file, link, picture) ?? (has(file) ? link : undefined));

/**
 * A page of a site: links to the site's own files stay, those to others become addresses or plain text.
 * @param {string} text @param {string} folder of the page, in the repository
 * @param {(file: string) => boolean} has whether the site has a file
 */
export const pageOfDocs = (text, folder, has) =>
  relinked(text, folder, (file, link, picture) => (has(file) ? link : addressOf(file, link, picture)));
