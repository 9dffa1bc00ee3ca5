// The documentation as one site: every page is there, and every link in it leads somewhere.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { root } from './checkout.js';

const built = path.join(root, 'out/docs/site');
let pages: Map<string, string>;

beforeAll(() => {
  execFileSync(process.execPath, [path.join(root, 'scripts/docs.mjs')], {
    env: { ...process.env, GITHUB_REPOSITORY: '' },
  });
  const files = (readdirSync(built, { recursive: true }) as string[]).map((file) => file.replaceAll(path.sep, '/'));
  pages = new Map(
    files
      .filter((file) => file.endsWith('.html') && file !== '404.html')
      .map((file) => [`/${file}`, readFileSync(path.join(built, file), 'utf8')]),
  );
}, 600_000);

test('it has every page of the documentation that is not about its code', () => {
  const documents = readdirSync(path.join(root, 'docs')).filter((name) => name.endsWith('.md') && name !== 'README.md');
  const own = documents.filter((name) => !['packages.md', 'releasing.md'].includes(name));
  expect([...pages.keys()]).toEqual(
    expect.arrayContaining([
      ...['/index.html', '/docs/index.html', '/SECURITY.html', '/CHANGELOG.html', '/python/gander-trace/index.html'],
      ...own.map((name) => `/docs/${name.replace(/md$/, 'html')}`),
    ]),
  );
});

test('its sidebar leads to each of them', () => {
  const sidebar = /<aside class="VPSidebar"[\s\S]*?<\/aside>/.exec(pages.get('/index.html')!)![0];
  const linked = Array.from(sidebar.matchAll(/href="([^"]+)"/g), ([, link]) => link!.replace(/\/$/, '/index.html'));
  expect([...pages.keys()].filter((page) => page !== '/docs/index.html' && !linked.includes(page))).toEqual([]);
});

test('no link, part of a page or picture is missing, and nothing is loaded from elsewhere', () => {
  const dead: string[] = [];
  for (const [page, text] of pages) {
    expect(text).not.toMatch(/<(?:script|img|link)\b[^>]*(?:src|href)="https?:/);
    for (const [, link] of text.matchAll(/(?:href|src)="(?!\w+:)([^"]+)"/g)) {
      const [file, part] = link!.split('#') as [string, string?];
      const at = file === '' ? page : path.posix.join(path.posix.dirname(page), file).replace(/\/$/, '/index.html');
      const target = file.startsWith('/') ? file.replace(/\/$/, '/index.html') : at;
      if (!existsSync(path.join(built, target))) dead.push(`${page}: ${link}`);
      else if (part && !pages.get(target)?.includes(`id="${part}"`)) dead.push(`${page}: ${link}`);
    }
  }
  expect(dead).toEqual([]);
});
