// Packed experts that anybody may have made: nothing of them gets outside its folder, or is larger than it says.
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { packTar, type TarHeader } from 'modern-tar';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GanderError } from '../../../src/errors/errors.js';
import { hubAddress, readAddress } from '../../../src/travel/address.js';
import { matchOf } from '../../../src/travel/base.js';
import { checkId } from '../../../src/travel/files.js';
import { readHead, unpack } from '../../../src/travel/packed.js';

let outer: string;
let folder: string;
beforeEach(() => {
  outer = mkdtempSync(path.join(tmpdir(), 'gander-packed-'));
  folder = path.join(outer, 'arriving', 'it');
});
afterEach(() => rmSync(outer, { recursive: true, force: true }));

const contents: Record<string, string> = {
  'adapter_config.json': '{}',
  'adapter_model.safetensors': 'tensors',
  'README.md': '---\nname: It\n---\n',
};
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const pinned = (text: string) => ({ bytes: Buffer.byteLength(text), sha256: sha256(text) });
const filesOf = (all: Record<string, string>) =>
  Object.fromEntries(Object.entries(all).map(([name, text]) => [name, pinned(text)]));
const provenance = (changes: object = {}) =>
  JSON.stringify({
    ...{ format: 'gander-expert', version: 1, id: 'it', base: { name: 'base', sha256: 'b'.repeat(64) } },
    files: filesOf(contents),
    ...changes,
  });

interface Entry extends Partial<TarHeader> {
  readonly name: string;
  readonly body?: string;
}

const file = (name: string, body: string): Entry => ({ name, body });
const usual = (changes: object = {}): Entry[] => [
  file('it/provenance.json', provenance(changes)),
  ...Object.entries(contents).map(([name, body]) => file(`it/${name}`, body)),
];

const tarOf = (entries: readonly Entry[]) =>
  packTar(entries.map(({ body = '', ...header }) => ({ header: { size: Buffer.byteLength(body), ...header }, body })));

async function* inParts(bytes: Uint8Array, size = 700) {
  for (let at = 0; at < bytes.length; at += size) {
    await Promise.resolve();
    yield bytes.subarray(at, at + size);
  }
}

async function failure(work: Promise<unknown>): Promise<GanderError> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(GanderError);
  return thrown as GanderError;
}

/** All files under the folder of the test, but for those of the expert itself. */
const elsewhere = () =>
  readdirSync(outer, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory() && entry.parentPath !== folder)
    .map(({ name }) => name);

it('is unpacked as it says', async () => {
  const said = await unpack(inParts(await tarOf(usual())), folder);
  expect(said.id).toBe('it');
  for (const [name, body] of Object.entries(contents)) expect(readFileSync(path.join(folder, name), 'utf8')).toBe(body);
});

it('is known by its beginning', async () => {
  const order = [0, 3, 1, 2].map((i) => usual()[i]!);
  let parts = 0;
  const counted = async function* () {
    for await (const part of inParts(await tarOf(order), 512)) {
      parts++;
      yield part;
    }
  };
  const { card, provenance: said } = await readHead(counted());
  expect(card.name).toBe('It');
  expect(said.id).toBe('it');
  expect(parts).toBeLessThan(9);
});

const [said, ...rest] = usual();
const cases: Record<string, readonly Entry[]> = {
  'a path upwards': [said!, ...rest, file('it/../../../out', 'x')],
  'a path upwards in place of the folder': [file('../provenance.json', provenance({ id: '..' }))],
  'an absolute path': [said!, file('/tmp/out', 'x')],
  'a path of Windows': [said!, file('it/C:\\out', 'x'), ...rest],
  'a deeper path': [said!, file('it/deeper/README.md', contents['README.md']!), ...rest],
  'another folder': [said!, file('other/README.md', contents['README.md']!), ...rest],
  'a file that no expert has': [said!, ...rest, file('it/run.py', 'x')],
  'a symbolic link': [said!, { name: 'it/README.md', type: 'symlink', linkname: '/etc/passwd' }, ...rest],
  'a hard link': [said!, { name: 'it/README.md', type: 'link', linkname: '/etc/passwd' }, ...rest],
  'a device': [said!, { name: 'it/README.md', type: 'character-device' }, ...rest],
  'a folder': [said!, { name: 'it/README.md', type: 'directory' }, ...rest],
  'a file twice': [said!, rest[0]!, ...rest],
  'a second provenance': [said!, said!, ...rest],
  'no provenance': rest,
  'provenance last': [...rest, said!],
  'a file less': [said!, ...rest.slice(1)],
  'another size than it says': [said!, file('it/adapter_config.json', '{} '), ...rest.slice(1)],
  'another content than it says': [said!, file('it/adapter_config.json', '[]'), ...rest.slice(1)],
  'an id that is a path': [file('a/b/provenance.json', provenance({ id: 'a/b' })), ...rest],
  'a hidden id': [file('.it/provenance.json', provenance({ id: '.it' })), ...rest],
  'another id than its folder': [file('it/provenance.json', provenance({ id: 'that' })), ...rest],
  'more bytes than an expert may have': usual({
    files: { ...filesOf(contents), 'examples.safetensors': { bytes: 2 ** 40, sha256: 'a'.repeat(64) } },
  }),
  'files that no expert has': usual({ files: { ...filesOf(contents), '../out': pinned('x') } }),
  'a file of the language': usual({ files: JSON.parse('{"__proto__": {"bytes": 1}}') as object }),
  'no adapter': usual({ files: { 'README.md': pinned(contents['README.md']!) } }),
  'a later version': usual({ version: 2 }),
  'no JSON': [file('it/provenance.json', '{'), ...rest],
  'a provenance of megabytes': [file('it/provenance.json', `${provenance()}${' '.repeat(5 * 2 ** 20)}`), ...rest],
  'a name in extended attributes': [said!, { ...rest[0]!, pax: { path: '../../out' } }, ...rest.slice(1)],
};

describe('is refused, and nothing is written beside it, if it has', () => {
  it.each(Object.entries(cases))('%s', async (_, entries) => {
    const error = await failure(unpack(inParts(await tarOf(entries)), folder));
    expect(error.code).toBe('expert-invalid');
    expect(error.remedy).not.toBe('');
    expect(elsewhere()).toEqual([]);
  });
});

it('is refused if it claims more bytes in its header than follow, or more than memory has', async () => {
  const bytes = await tarOf(usual());
  // The size of the second entry, in octal; the checksum covers it, so it is made anew.
  const at = 512 + Math.ceil(Buffer.byteLength(provenance()) / 512) * 512;
  bytes.set(Buffer.from('77777777777\0'), at + 124);
  bytes.set(Buffer.from('        '), at + 148);
  const sum = bytes.subarray(at, at + 512).reduce((all, byte) => all + byte, 0);
  bytes.set(Buffer.from(`${sum.toString(8).padStart(6, '0')}\0 `), at + 148);
  expect((await failure(unpack(inParts(bytes), folder))).code).toBe('expert-invalid');
});

it('is refused or unpacked as it says, whatever bytes change or are missing', { tags: ['slow'] }, async () => {
  const whole = await tarOf(usual());
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 6 }),
      fc.nat(whole.length),
      fc.nat(1),
      async (changes, end, cut) => {
        const bytes = Uint8Array.from(whole);
        for (const [at, value] of changes) bytes[at] = value;
        const given = cut ? bytes.subarray(0, end) : bytes;
        const ended = await unpack(inParts(given), folder).catch((error: unknown) => error);
        if (ended instanceof Error) expect(ended).toMatchObject({ code: 'expert-invalid' });
        else
          for (const [name, body] of Object.entries(contents))
            expect(readFileSync(path.join(folder, name), 'utf8')).toBe(body);
        expect(elsewhere()).toEqual([]);
      },
    ),
    { numRuns: 300 },
  );
});

describe('an address', () => {
  const read = (typed: string) => readAddress(typed, 'https://huggingface.co', () => false);
  it('is a repository by hf: or by its page, or else a file on the web', () => {
    expect(read('hf:a/b')).toEqual({ kind: 'hub', name: 'a/b', revision: 'main' });
    expect(read('hf:a/b.c@refs/pr/1')).toEqual({ kind: 'hub', name: 'a/b.c', revision: 'refs/pr/1' });
    expect(read('https://huggingface.co/a/b')).toEqual({ kind: 'hub', name: 'a/b', revision: 'main' });
    expect(read('https://huggingface.co/a/b/tree/v1')).toEqual({ kind: 'hub', name: 'a/b', revision: 'v1' });
    expect(read('https://example.org/a.tar')).toEqual({ kind: 'url', url: 'https://example.org/a.tar' });
    const named = `http://example.org/a-${'0'.repeat(64)}.tar`;
    expect(read(named)).toEqual({ kind: 'url', url: named });
  });
  it.each(['a', 'a/b/c', '../b', 'a/..', '.a/b', 'a/b@', 'a/b@x y', 'a b/c', 'a/b?c=d', 'a/b#c'])(
    'is not %s',
    (typed) => {
      expect(() => hubAddress(typed)).toThrow(/names no repository/);
    },
  );
  it('without encryption is refused, unless its name has the hash', () => {
    expect(() => read('http://example.org/a.tar')).toThrow(/without encryption/);
  });
});

it.each(['', '.', '..', '.a', 'a.', 'a/b', 'a\\b', 'a:b', 'a b', 'ä', 'a'.repeat(101)])(
  'no expert travels as "%s"',
  (id) => {
    expect(() => checkId(id)).toThrow(GanderError);
  },
);

it.each([
  ['same', { name: 'anything', sha256: 'a' }],
  ['named', { name: 'Owner/Tiny', sha256: 'b' }],
  ['named', { name: '/home/someone/tiny/' }],
  ['other', { name: 'Owner/Tiny-Instruct' }],
  ['other', { sha256: 'b' }],
  ['unknown', {}],
] as const)('a base is %s', (match, told) => {
  expect(matchOf(told, { sha256: 'a', names: new Set(['tiny']) })).toBe(match);
});

it('leaves nothing behind of what was there before', async () => {
  await unpack(inParts(await tarOf(usual())), folder);
  const { 'README.md': _, ...less } = contents;
  const entries = [file('it/provenance.json', provenance({ files: filesOf(less) })), ...rest.slice(0, 2)];
  await unpack(inParts(await tarOf(entries)), folder);
  expect(existsSync(path.join(folder, 'README.md'))).toBe(false);
});
