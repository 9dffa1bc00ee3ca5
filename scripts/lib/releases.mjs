// What a release is made of: its notes and the files that state its version.

/** The changelog's text about one version, without its heading; empty if there is none. @param {string} changelog @param {string} version */
export function notesOf(changelog, version) {
  const heading = new RegExp(`^## ${version.replaceAll('.', '\\.')}(?: .*)?$`);
  const lines = changelog.split('\n');
  const from = lines.findIndex((line) => heading.test(line)) + 1;
  if (from === 0) return '';
  const length = lines.slice(from).findIndex((line) => line.startsWith('## '));
  return lines
    .slice(from, length < 0 ? undefined : from + length)
    .join('\n')
    .trim();
}

/** Where each released package states its version. */
const stated = {
  'package.json': /"version": "([^"]+)"/,
  'python/gander-routing/pyproject.toml': /^version = "([^"]+)"/m,
  'python/gander-serve/pyproject.toml': /^version = "([^"]+)"/m,
  'training/pyproject.toml': /^version = "([^"]+)"/m,
  'python/gander-trace/src/gander_trace/__init__.py': /^__version__ = "([^"]+)"/m,
};

/** The version in each of these files. @param {(file: string) => string} read @returns {Record<string, string>} */
export const versionsOf = (read) =>
  Object.fromEntries(
    Object.entries(stated).map(([file, pattern]) => [file, pattern.exec(read(file))?.[1] ?? 'no version']),
  );
