// What the documents point at exists, and the pictures of ARCHITECTURE.md show what lint holds the code to.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parts } from '../../../scripts/lib/parts.mjs';
import { rooms } from '../../../scripts/lint/rooms.mjs';

const root = path.resolve(import.meta.dirname, '../../..');
const read = (name: string) => readFileSync(path.join(root, name), 'utf8');

/** Folders that are installed, built or hidden. */
const made = /^(\..*|node_modules|artifacts|coverage|dist|out)$/;

/** Markdown in a folder. */
function pagesIn(folder: string): string[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = path.posix.join(folder, entry.name);
    if (entry.isDirectory()) return made.test(entry.name) ? [] : pagesIn(name);
    return name.endsWith('.md') && name !== 'THIRD_PARTY_NOTICES.md' ? [name] : [];
  });
}

const pages = pagesIn('');
const fences = /^```(\w*)\n([\s\S]*?)^```$/gm;
const prose = (page: string) => read(page).replace(fences, '');
const pictures = (text: string) =>
  Array.from(text.matchAll(fences), ([, language, lines]) => (language === 'mermaid' ? lines! : '')).join('\n');

/** As GitHub makes them of headings. */
function anchors(page: string): Set<string> {
  const titles = Array.from(prose(page).matchAll(/^#+ (.+)$/gm), ([, title]) => title!);
  const plain = titles.map((title) => title.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase());
  return new Set(plain.map((title) => title.replace(/[^\p{L}\p{N}\-_ ]/gu, '').replaceAll(' ', '-')));
}

const beside = (page: string, name: string) => path.posix.join(path.posix.dirname(page), name);
const isThere = (name: string) => existsSync(path.join(root, name));

it.each(pages)('%s links to what is there', (page) => {
  const links = Array.from(prose(page).matchAll(/\]\(([^)\s]+)\)/g), ([, link]) => link!);
  const broken = links.filter((link) => {
    if (/^\w+:/.test(link)) return false;
    const [file, anchor] = link.split('#') as [string, string?];
    const target = file === '' ? page : beside(page, file);
    return !isThere(target) || (anchor !== undefined && !anchors(target).has(anchor));
  });
  expect(broken).toEqual([]);
});

/** Those about this repository's files; others name files of other projects, too. */
const own = pages.filter((page) => /^(docs\/)?[^/]+$/.test(page));

it.each(own)('%s names files that are there', (page) => {
  const folders = readdirSync(root).filter((name) => !made.test(name));
  const named = new RegExp(`(?<![\\w./-])(?:${folders.join('|')})/[\\w./-]*\\w`, 'g');
  const code = Array.from(prose(page).matchAll(/`([^`\n]+)`/g), ([, text]) => text).join('\n');
  const files = `${code}\n${pictures(read(page))}`.match(named) ?? [];
  // NAME stands for one that is yet to be written; what is hidden is installed or made.
  const known = files.map((file) => file.replace(/\/NAME\b.*$/, '')).filter((file) => !file.includes('/.'));
  expect(known.filter((file) => !isThere(file) && !isThere(beside(page, file)))).toEqual([]);
});

/** What is wrong with an npm command; undefined: nothing. */
function wrongWith([, script, rest]: readonly (string | undefined)[]): string | undefined {
  const name = script!.replace(/^run /, '');
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  if (!(name in scripts)) return `package.json has no ${name}`;
  const named = rest?.split(' ').filter((word) => /^[a-z]/.test(word)) ?? [];
  const unknown = name === 'test' ? named.filter((word) => !(word in parts)) : [];
  return unknown.length > 0 ? `npm test has no part ${unknown.join(', ')}` : undefined;
}

const npmIn = (text: string) =>
  Array.from(text.matchAll(/\bnpm (run [\w:-]*\w|test|start)\b(?: -- ([^`\n]*?)(?=`| {2}| #|$))?/gm));

it.each(pages)('%s has only scripts that package.json has', (page) => {
  const wrong = npmIn(read(page)).flatMap((found) => wrongWith(found) ?? []);
  expect(wrong).toEqual([]);
});

it('finds a script and a part that do not exist', () => {
  const found = npmIn('`npm run bild`, `npm test -- unit enigne`\nnpm run build  then\nnpm test -- --all  # all');
  expect(found.map(wrongWith)).toEqual([
    'package.json has no bild',
    'npm test has no part enigne',
    undefined,
    undefined,
  ]);
});

it('docs/packages.md has a line for each package, and for no other', () => {
  const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<string, object>;
  const names = Object.keys({ ...dependencies, ...devDependencies }).map((name) =>
    name.replace(/^@types\/.*/, '@types'),
  );
  const cells = Array.from(read('docs/packages.md').matchAll(/^\| (.+?) \|/gm), ([, cell]) => cell!.split(', ')).flat();
  const told = cells.map((cell) => cell.replace('/\\*', '')).filter((cell) => !['package', '---'].includes(cell));
  expect(told.sort()).toEqual([...new Set(names)].sort());
});

describe('the pictures of the rooms', () => {
  const architecture = read('ARCHITECTURE.md');
  const drawn = pictures(architecture.slice(architecture.indexOf('## Rooms'), architecture.indexOf('## A trace')));
  /** A room, or a folder of rooms that are drawn as one. */
  const isRoom = (name: string) => Object.keys(rooms).some((room) => `${room}/`.startsWith(`${name}/`));
  /** The box of each that is drawn; a box may have several. */
  const boxes = new Map(
    Array.from(drawn.matchAll(/(\w+)\["([^"]+)"\]/g), ([, box, label]) => ({ box: box!, lines: label!.split('<br>') }))
      .flatMap(({ box, lines }) => lines.map((line) => [line, box] as const))
      .filter(([line]) => isRoom(line)),
  );
  const arrows = drawn
    .replaceAll(/\["[^"]+"\]/g, '')
    .split('\n')
    .flatMap((line) => {
      const steps = line.trim().split(/ (-->|-\.->) /);
      return steps.flatMap((arrow, i) => {
        if (i % 2 === 0) return [];
        const [from, to] = [steps[i - 1]!.split(' & '), steps[i + 1]!.split(' & ')];
        return from.flatMap((a) => to.map((b) => ({ from: a, to: b, isOfTypes: arrow === '-.->' })));
      });
    });

  /** The room that a file is drawn in; undefined: it is in none, such as a style. */
  const drawnIn = (file: string) =>
    [...boxes.keys()]
      .filter((room) => file === room || file.startsWith(`${room}/`))
      .sort((a, b) => b.length - a.length)[0];
  const boxOf = (file: string) => boxes.get(drawnIn(file) ?? '');
  const roomsIn = (box: string) => [...boxes].flatMap(([room, its]) => (its === box ? [room] : []));
  /** What a room may import, and what the rooms may that are drawn in it. */
  const allowed = (drawnRoom: string, isOfTypes: boolean) =>
    Object.entries(rooms)
      .filter(([room]) => drawnIn(room) === drawnRoom)
      .flatMap(([, { from = [], types = [] }]) => (isOfTypes ? [...from, ...types] : from));
  const reached = (box: string, isOfTypes: boolean) => {
    const found = new Set([box]);
    for (const one of found)
      for (const arrow of arrows) if (arrow.from === one && (isOfTypes || !arrow.isOfTypes)) found.add(arrow.to);
    return found;
  };

  it('have all of them', () => {
    expect(Object.keys(rooms).filter((room) => boxOf(room) === undefined)).toEqual([]);
  });

  it('have no arrow that lint refuses', () => {
    const isAllowed = (room: string, target: string, isOfTypes: boolean) =>
      allowed(room, isOfTypes).some((one) => target.startsWith(`${one}/`) || drawnIn(one) === target);
    const refused = arrows.filter(({ from, to, isOfTypes }) => {
      const [importing, imported] = [roomsIn(from), roomsIn(to)];
      const pairs = importing.flatMap((room) => imported.map((target) => isAllowed(room, target, isOfTypes)));
      return pairs.length === 0 || pairs.includes(false);
    });
    expect(refused).toEqual([]);
  });

  it.each([false, true])('have a way along arrows wherever lint allows an import; of types alone: %s', (isOfTypes) => {
    const missing = [...boxes].flatMap(([room, box]) => {
      const ways = reached(box, isOfTypes);
      const targets = allowed(room, isOfTypes).filter((target) => drawnIn(target) !== undefined);
      return targets.filter((target) => !ways.has(boxOf(target)!)).map((target) => `${room} → ${target}`);
    });
    expect(missing).toEqual([]);
  });
});
