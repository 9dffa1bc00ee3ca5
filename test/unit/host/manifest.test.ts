import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { bundle, problems } from '../../../scripts/l10n.mjs';
import { colourCount, expertStyle, measureColours } from '../../../src/look/palette.js';
import { categories, type Counted } from '../../../src/words/counted.js';
import { lessonWords } from '../../../src/words/lessonWords.js';
import { words } from '../../../src/words/words.js';
import { keyOf, planted, polish } from '../words/polish.js';

const root = path.resolve(import.meta.dirname, '../../..');
const read = (name: string) => readFileSync(path.join(root, name), 'utf8');
/** Has one of the two. */
interface Entry {
  readonly command?: string;
  readonly submenu?: string;
}

const manifest = JSON.parse(read('package.json')) as {
  readonly contributes: {
    readonly commands: readonly { readonly command: string; readonly category: string }[];
    readonly keybindings: readonly Entry[];
    readonly submenus: readonly { readonly id: string }[];
    readonly menus: Record<string, readonly Entry[]>;
    readonly colors: readonly { readonly id: string; readonly defaults: Record<string, string> }[];
    readonly configuration: { readonly properties: Record<string, unknown> };
  };
  readonly activationEvents: readonly string[];
  readonly capabilities: { readonly untrustedWorkspaces: { readonly restrictedConfigurations: readonly string[] } };
};
const { contributes } = manifest;
const declared = contributes.commands.map(({ command }) => command);
const sources = (folder: string) =>
  (readdirSync(path.join(root, folder), { recursive: true }) as string[])
    .filter((name) => name.endsWith('.ts'))
    .map((name) => read(path.join(folder, name)));

it('has a text for every key, and no key without a use', () => {
  const used = [...read('package.json').matchAll(/"%([^%"]+)%"/g)].map(([, key]) => key!);
  const keys = Object.keys(JSON.parse(read('package.nls.json')) as Record<string, string>);
  expect([...new Set(used)].sort()).toEqual(keys.sort());
});

it('declares exactly the commands that are registered, in one category', () => {
  const registered = sources('src/commands').flatMap((text) =>
    [...text.matchAll(/^ {2}id: '(gander\.\w+)'/gm)].map(([, id]) => id!),
  );
  expect(registered.sort()).toEqual([...declared].sort());
  expect(new Set(contributes.commands.map(({ category }) => category))).toEqual(new Set(['Gander']));
});

it('refers to no command that it does not declare', () => {
  const known = new Set([...declared, 'gander.experts.focus']);
  const entries = [...Object.values(contributes.menus).flat(), ...contributes.keybindings];
  const menus = entries.flatMap(({ command, submenu }) => (submenu === undefined ? [command] : []));
  const links = [...read('package.nls.json').matchAll(/\(command:([\w.]+)\)/g)].map(([, id]) => id!);
  const called = sources('src').flatMap((text) =>
    [...text.matchAll(/(?:executeCommand\(|command(?:: | = ))'(gander\.\w+)'/g)].map(([, id]) => id!),
  );
  for (const command of [...menus, ...links, ...called]) expect(known).toContain(command);
});

it('has in each submenu what its menus promise', () => {
  const ids = contributes.submenus.map(({ id }) => id);
  const wanted = Object.values(contributes.menus).flatMap((entries) => entries.flatMap(({ submenu }) => submenu ?? []));
  expect(new Set(wanted)).toEqual(new Set(ids));
  for (const id of ids) expect(contributes.menus[id]?.length).toBeGreaterThan(0);
});

it('contributes the colours of the palette', () => {
  const [experts, [measure, ...rest]] = [
    contributes.colors.slice(0, colourCount),
    contributes.colors.slice(colourCount),
  ];
  expect(measure).toMatchObject({ id: 'gander.measure', defaults: measureColours });
  expect(rest).toEqual([]);
  expect(experts).toHaveLength(colourCount);
  for (const [i, { id, defaults }] of experts.entries()) {
    const { letter, dark, light } = expertStyle(i);
    expect(id).toBe(`gander.expert${letter}`);
    expect(defaults).toEqual({
      dark: dark.fill,
      light: light.fill,
      highContrast: dark.fill,
      highContrastLight: light.fill,
    });
  }
});

it('is activated only by a panel to restore, and lets no untrusted workspace choose the pool or a server', () => {
  // VS Code adds those of commands, views and editors by itself.
  expect(manifest.activationEvents).toEqual(['onWebviewPanel:gander.panel']);
  expect(manifest.capabilities.untrustedWorkspaces.restrictedConfigurations).toEqual(
    expect.arrayContaining(['gander.pool', 'gander.engine.address']),
  );
  for (const name of manifest.capabilities.untrustedWorkspaces.restrictedConfigurations)
    expect(contributes.configuration.properties).toHaveProperty([name]);
});

it('has every string of the extension and of its page in one place', () => {
  const listed = JSON.parse(bundle()) as Record<string, string>;
  for (const said of Object.values<string | Counted>({ ...words, ...lessonWords })) {
    const keys = typeof said === 'string' ? [said] : categories.map((category) => keyOf(said, category));
    for (const key of keys) expect(listed).toHaveProperty([key]);
  }
  expect(read('l10n/bundle.l10n.json'), 'run node scripts/l10n.mjs').toBe(bundle());
});

it('tells a translator which plural forms are missing, and which texts nobody looks up', () => {
  expect(problems('pl', planted)).toEqual([]);
  const { [polish.few]: few, ...others } = planted;
  expect(few).toBeDefined();
  expect(problems('pl', { ...others, nonsense: 'x' })).toEqual(['no such text: nonsense', `no form: ${polish.few}`]);
});
