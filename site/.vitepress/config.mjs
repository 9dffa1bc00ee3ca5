// The documentation as one site. `npm run docs` writes its pages and its sidebar first (scripts/docs.mjs).
import { readFileSync } from 'node:fs';

/** As GitHub makes anchors of headings, which the pages' links have. @param {string} title */
const slugify = (title) =>
  title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\-_ ]/gu, '')
    .replaceAll(' ', '-');

export default {
  title: 'Gander',
  description: 'Shows how a routed language model decides',
  srcDir: '../out/docs/pages',
  outDir: '../out/docs/site',
  cacheDir: '../out/docs/cache',
  markdown: { anchor: { slugify } },
  themeConfig: {
    outline: 'deep',
    search: { provider: 'local' },
    sidebar: JSON.parse(readFileSync(new URL('../../out/docs/sidebar.json', import.meta.url), 'utf8')),
  },
};
