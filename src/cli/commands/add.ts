import { statSync } from 'node:fs';
import path from 'node:path';
import type { PoolInfo } from '../../requests/api.js';
import { asPool } from '../../requests/modelInfo.js';
import { bytesInWords } from '../../formats/bytes.js';
import { columns } from '../../terminal/columns.js';
import { plain } from '../../trace/text/label.js';
import { endpointIn, readAddress } from '../../travel/address.js';
import { baseOf, type BaseMatch, baseOfPool, matchOf, otherBase, type ToldBase } from '../../travel/base.js';
import { type Offer, arrivalsOf, forgetArrivals, hasGate, look } from '../../travel/offer.js';
import { checkFree, place } from '../../travel/place.js';
import type { Arguments, Command } from '../command.js';
import { json } from '../json.js';
import { fetchedModels } from '../models/shipped.js';
import { engineOptions, jsonOption } from '../options.js';
import { cacheFolder } from '../paths.js';
import { UsageError } from '../usage.js';

const { cache, deadline, threads } = engineOptions;

export const add: Command = {
  name: 'add',
  summary: 'adds an expert to a pool: from a folder, a packed file, an address or the Hugging Face Hub',
  usage: ['<folder|file|address|hf:OWNER/NAME[@REVISION]> --pool <folder>'],
  examples: [
    ['kotlin-<SHA-256>.tar --pool my-pool', 'a file that gander pack made'],
    ['hf:OWNER/NAME@v1 --pool my-pool', 'a PEFT adapter on the hub, at a branch, tag or commit'],
    ['hf:OWNER/NAME --pool my-pool --card', 'what it says of itself; nothing else is fetched'],
  ],
  options: {
    pool: { type: 'string', value: 'folder', help: 'the pool; one that ships is copied first, by you' },
    as: { type: 'string', value: 'id', help: 'another id than its own' },
    card: { type: 'boolean', help: 'only show its card' },
    'other-base': { type: 'boolean', help: 'also if it was made for another base' },
    ...jsonOption,
    ...{ cache, deadline, threads },
  },
  async run({ args, open, out, progress, signal }) {
    const [typed, ...more] = args.positionals;
    if (typed === undefined || more.length > 0)
      throw new UsageError('Give one expert: a folder, a packed file, an address, or hf:OWNER/NAME.');
    const own = ownPool(args);
    const address = readAddress(typed, endpointIn(process.env), (name) => statSync(name).isDirectory());
    const offer = await look(address, { env: process.env, as: args.text('as') });
    const asJson = args.flag('json');
    if (!asJson) out(cardText(offer));
    if (args.flag('card')) {
      if (asJson) out(json(cardJson(offer)));
      return;
    }
    const { engine, model } = await open();
    const pool = asPool(model);
    // What can be refused by its card is not fetched.
    checkFree(own, offer.id);
    await checkBase(offer.base, offer.id, pool, args);
    const arrivals = arrivalsOf(path.resolve(args.text('cache') ?? cacheFolder()), offer);
    const tell = progress.count('MB', offer.id);
    const got = (bytes: number) => tell(megabytes(bytes), megabytes(offer.bytes));
    const { folder, origin } = await offer.bring(arrivals, { got, signal });
    const base = await checkBase(await baseOf(folder), offer.id, pool, args);
    const { target } = await engine.examine(folder);
    const entry = await place(own, { from: folder, target, origin, base });
    await forgetArrivals(arrivals);
    progress.clear();
    const to = path.join(own, target);
    if (asJson) out(json({ folder: to, ...entry }));
    else out([`${plain(offer.id)} is in ${plain(to)}`, ...advice(offer, base, pool, to), ''].join('\n'));
  },
};

const megabytes = (bytes: number) => Math.round(bytes / 1e6);

/** The pool that ships is not changed: an update would replace it. */
function ownPool(args: Arguments): string {
  const named = args.text('pool');
  if (named === undefined) throw new UsageError('Say which pool is to take it: --pool <folder>.');
  const folder = path.resolve(named);
  const shipped = [path.resolve(__dirname, '..', 'models'), fetchedModels()];
  if (shipped.includes(path.dirname(folder)))
    throw new UsageError(`${folder} comes with Gander and is replaced with it. Copy the folder, and name the copy.`);
  return folder;
}

async function checkBase(told: ToldBase, id: string, pool: PoolInfo, args: Arguments): Promise<BaseMatch> {
  const match = matchOf(told, await baseOfPool(pool));
  if (match !== 'other' || args.flag('other-base')) return match;
  throw otherBase(id, told, pool.baseName, 'If the two have the same weights, --other-base adds it all the same.');
}

function cardText({ id, origin, card, base, bytes, files }: Offer): string {
  const rows = [
    ['expert', card.name !== undefined && card.name !== id ? `${id} (${card.name})` : id],
    ['from', origin.revision === undefined ? origin.source : `${origin.source}, commit ${origin.revision}`],
    ['author', origin.author],
    ['base', base.name],
    ['licence', card.license],
    ['trained on', card.datasets?.join(', ')],
    ['files', `${Object.keys(files).join(', ')} (${bytesInWords(bytes)})`],
  ];
  return `${columns(
    rows.map(([what, said]) => [what!, said === undefined ? 'not said' : plain(said)]),
    'll',
  ).join('\n')}\n`;
}

const cardJson = ({ id, origin, card, base, bytes, files }: Offer) => ({ id, ...origin, card, base, bytes, files });

/** What whoever added it should know. */
function advice(offer: Offer, base: BaseMatch, pool: PoolInfo, folder: string): string[] {
  const lines: string[] = [];
  if (base === 'named')
    lines.push(`It was made for another export of ${plain(pool.baseName)}; the two have the same name.`);
  if (base === 'unknown') lines.push('It does not say for which base it was made. Its shapes fit.');
  if (hasGate(offer)) return lines;
  const gated = pool.strategies.includes('phatgoose');
  return [
    ...lines,
    `It has no gate: Arrow takes it as it is${gated ? ', PHATGOOSE never chooses it' : ''}. To train one on a text per line:`,
    `  gander-training gate --base ${plain(pool.folder)} --data texts.jsonl --expert ${plain(folder)}`,
    `  gander pool pin ${plain(pool.folder)} ${plain(offer.id)}`,
  ];
}
