// npm run docs: the documentation as one site, in out/docs/site. --serve also shows it. Its sidebar is the table of docs/README.md.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { main, npm, Remedy, root, run, say } from './lib/main.mjs';
import { pageOfDocs } from './lib/published.mjs';

const site = path.join(root, 'site');
const out = path.join(root, 'out/docs');
const pages = path.join(out, 'pages');
const read = (/** @type {string} */ file) => readFileSync(path.join(root, file), 'utf8');

/** The site's first page, whose table names all others. */
const index = 'docs/README.md';
/** For people who change Gander; their pictures are drawn where the repository is shown. */
const left = ['ARCHITECTURE.md', 'CONTRIBUTING.md', 'docs/packages.md', 'docs/releasing.md'];

const rows = [...read(index).matchAll(/^\|([^|]*)\|(.+\.md\).*)\|$/gm)].map(([, group = '', cells = '']) => ({
  group: group.trim(),
  files: [...cells.matchAll(/\]\(([^)#]+)[^)]*\)/g)]
    .map(([, link = '']) => path.posix.join('docs', link))
    .filter((file) => !left.includes(file)),
}));
const files = ['README.md', index, ...rows.flatMap((row) => row.files)];
const pictures = 'docs/pictures';
const isOfSite = (/** @type {string} */ file) => files.includes(file) || file.startsWith(`${pictures}/`);

/** Where a page is in the site: a folder's README is its index. @param {string} file */
const placeOf = (file) => file.replace(/README\.md$/, 'index.md');
const titleOf = (/** @type {string} */ file) => /^# (.+)$/m.exec(read(file))?.[1] ?? file;

/** @typedef {{ text: string, items: { text: string, link: string }[] }} Group */
/** @returns {Group[]} */
function sidebar() {
  const linkTo = (/** @type {string} */ file) => ({
    text: titleOf(file).replaceAll('`', ''),
    link: `/${placeOf(file).replace(/(index)?\.md$/, '')}`,
  });
  /** @type {Group[]} */
  const groups = [{ text: 'start', items: [linkTo('README.md')] }];
  for (const row of rows) {
    if (row.group) groups.push({ text: row.group, items: [] });
    groups.at(-1)?.items.push(...row.files.map(linkTo));
  }
  return groups.map(({ text, items }) => ({ text: text.charAt(0).toUpperCase() + text.slice(1), items }));
}

await main(async () => {
  const serve = process.argv.includes('--serve');
  if (!existsSync(path.join(site, 'node_modules/vitepress'))) {
    say('Installing what the site is built with …');
    await npm('npm ci', ['ci'], { cwd: site });
  }
  rmSync(pages, { recursive: true, force: true });
  for (const file of files) {
    const to = path.join(pages, placeOf(file));
    mkdirSync(path.dirname(to), { recursive: true });
    const text = pageOfDocs(read(file), path.posix.dirname(file), isOfSite);
    writeFileSync(to, text.replace(/README\.md(?=[)#])/g, 'index.md'));
  }
  cpSync(path.join(root, pictures), path.join(pages, pictures), { recursive: true });
  writeFileSync(path.join(out, 'sidebar.json'), JSON.stringify(sidebar()));
  const vitepress = path.join(site, 'node_modules/vitepress/bin/vitepress.js');
  const built = await run(process.execPath, [vitepress, 'build', site]);
  if (built.code !== 0) throw new Remedy('the site was not built; mend what is named above');
  const sizes = readdirSync(path.join(out, 'site'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => statSync(path.join(entry.parentPath, entry.name)).size);
  say(`${files.length} pages, ${(sizes.reduce((a, b) => a + b, 0) / 1e6).toFixed(1)} MB, in out/docs/site`);
  return serve ? (await run(process.execPath, [vitepress, 'preview', site])).code : 0;
});
