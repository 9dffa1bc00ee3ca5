/** A tar whose headers were changed by someone who knows the format: their checksums are right. */
import type { Random } from '../random.js';

const block = 512;

interface Entry {
  readonly header: Buffer;
  readonly body: Buffer;
}

/** Of a plain tar without long names. */
function entriesOf(bytes: Uint8Array): Entry[] {
  const tar = Buffer.from(bytes);
  const entries: Entry[] = [];
  for (let at = 0; at + block <= tar.length && tar[at] !== 0;) {
    const header = Buffer.from(tar.subarray(at, at + block));
    const size = parseInt(header.toString('latin1', 124, 135), 8);
    entries.push({ header, body: Buffer.from(tar.subarray(at + block, at + block + size)) });
    at += block * (1 + Math.ceil(size / block));
  }
  return entries;
}

function field(header: Buffer, at: number, length: number, text: string): void {
  header.fill(0, at, at + length);
  header.write(text, at, length, 'utf8');
}

function written(entries: readonly Entry[]): Buffer {
  const parts = entries.flatMap(({ header, body }) => {
    header.fill(' ', 148, 156);
    field(
      header,
      148,
      8,
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
    );
    return [header, body, Buffer.alloc((block - (body.length % block)) % block)];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}

const names = [
  '../out',
  'alpha/../../out',
  '/etc/hosts',
  'alpha/',
  'alpha',
  '',
  '.',
  'alpha/run.sh',
  'alpha/deeper/gate.safetensors',
  'alpha\\..\\out',
  'other/gate.safetensors',
  'C:\\out',
  'alpha/gate.safetensors ',
  'a'.repeat(100),
];

/** Types of entries: links, devices, folders, long names, extended headers, sparse files, nothing known. */
const types = ['1', '2', '3', '4', '5', '6', '7', 'L', 'K', 'x', 'g', 'S', 'V', 'Z', '\0'];

const sizes = ['77777777777', '00000000000', '00000000001', '-0000000001', 'zzzzzzzzzzz', '\xff\xff\xff\xff'];

export function otherHeaders(bytes: Uint8Array, random: Random): { bytes: Uint8Array; how: string } {
  const entries = entriesOf(bytes);
  const one = random.pick(entries);
  const how = random.do({
    name: () => {
      const name = random.pick(names);
      field(one.header, 0, 100, name);
      return name;
    },
    prefix: () => field(one.header, 345, 155, random.pick(names)),
    type: () => {
      const type = random.pick(types);
      field(one.header, 156, 1, type);
      field(one.header, 157, 100, random.pick(['/etc/hosts', '../..', 'alpha/gate.safetensors']));
      return JSON.stringify(type);
    },
    size: () => field(one.header, 124, 12, random.pick(sizes)),
    'an entry twice': () => entries.splice(random.below(entries.length + 1), 0, one),
    'an entry gone': () => entries.splice(entries.indexOf(one), 1),
    'another order': () => entries.reverse(),
    'many entries': () =>
      entries.push(...new Array<Entry>(random.pick([100, 20_000])).fill({ ...one, body: Buffer.alloc(0) })),
  });
  return { bytes: written(entries), how };
}

/** Changes the text of the first entry, whose size is then right. */
export function otherText(
  bytes: Uint8Array,
  change: (text: string) => { readonly text: string; readonly how: string },
): { bytes: Uint8Array; how: string } {
  const [first, ...others] = entriesOf(bytes);
  const { text, how } = change(first!.body.toString('utf8'));
  const body = Buffer.from(text);
  field(first!.header, 124, 12, body.length.toString(8).padStart(11, '0'));
  return { bytes: written([{ header: first!.header, body }, ...others]), how };
}
