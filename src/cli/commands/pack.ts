import { stat } from 'node:fs/promises';
import path from 'node:path';
import { asPool } from '../../requests/modelInfo.js';
import { bytesInWords } from '../../formats/bytes.js';
import { parseCard } from '../../pool/card.js';
import { plain } from '../../trace/text/label.js';
import { baseOf, baseOfPool, matchOf, otherBase, smallText } from '../../travel/base.js';
import { bytesOf, provenanceFile } from '../../travel/files.js';
import { pack as packFolder } from '../../travel/packed.js';
import { readProvenance } from '../../travel/provenance.js';
import type { Command } from '../command.js';
import { json } from '../json.js';
import { engineOptions, jsonOption } from '../options.js';
import { UsageError } from '../usage.js';

export const pack: Command = {
  name: 'pack',
  summary: 'makes one file of an expert, to be passed on and added elsewhere',
  usage: ['<expert or its folder> [-o <file or folder>]'],
  examples: [
    ['python', 'an expert of the pool that ships, as python-<SHA-256>.tar'],
    ['~/experts/kotlin --data "my Kotlin files" --author "A. Person" -o experts', 'one that fits it, in a folder'],
  ],
  options: {
    out: {
      type: 'string',
      short: 'o',
      value: 'path',
      help: 'the file, or the folder of one with its hash in the name',
    },
    author: { type: 'string', value: 'name', help: 'who made it' },
    data: {
      type: 'string',
      multiple: true,
      value: 'text',
      help: 'what it was trained on (default: its card’s datasets)',
    },
    command: { type: 'string', value: 'text', help: 'how it was made' },
    license: { type: 'string', value: 'name', help: 'its licence (default: its card’s)' },
    ...jsonOption,
    ...engineOptions,
  },
  async run({ args, open, out, progress }) {
    const [given, ...more] = args.positionals;
    if (given === undefined || more.length > 0) throw new UsageError('Give one expert of the pool, or its folder.');
    const { engine, model } = await open();
    const pool = asPool(model);
    const own = pool.experts.find(({ id }) => id === given);
    const folder = own?.folder ?? path.resolve(given);
    // What does not fit the base that it says it is for would be of no use to anyone.
    if (!own && !pool.experts.some((expert) => expert.folder === folder)) await engine.examine(folder);
    const id = own?.id ?? path.basename(folder);
    const told = await baseOf(folder);
    if (matchOf(told, await baseOfPool(pool)) === 'other')
      throw otherBase(id, told, pool.baseName, 'Name a pool of its own base with --pool.');
    const card = parseCard((await smallText(path.join(folder, 'README.md'))) ?? '');
    const before = await smallText(path.join(folder, provenanceFile));
    const earlier = before === undefined ? undefined : readProvenance(before);
    const license = args.text('license') ?? card.license ?? earlier?.license;
    const author = args.text('author') ?? earlier?.author;
    const command = args.text('command') ?? earlier?.command;
    const data = args.list('data').length > 0 ? args.list('data') : (earlier?.data ?? card.datasets);
    progress.say('packing');
    const packed = await packFolder(
      folder,
      {
        ...{ id, base: { name: pool.baseName, sha256: pool.baseHash } },
        ...(license !== undefined && { license }),
        ...(author !== undefined && { author }),
        ...(data && { data: [...data] }),
        ...(command !== undefined && { command }),
      },
      await target(args.text('out') ?? '.'),
    );
    progress.clear();
    if (args.flag('json')) {
      out(json({ ...packed, file: path.resolve(packed.file) }));
      return;
    }
    out(`${plain(packed.file)}  ${bytesInWords(bytesOf(packed.provenance.files))}\n`);
    out(`Add it elsewhere: gander add ${path.basename(packed.file)} --pool <pool>\n`);
  },
};

async function target(out: string) {
  const isFolder = (await stat(out).catch(() => undefined))?.isDirectory();
  return isFolder ? { folder: out } : { file: out };
}
