import path from 'node:path';
import { GanderError } from '../../errors/errors.js';
import { table } from '../../terminal/columns.js';
import { plain } from '../../trace/text/label.js';
import { readLock } from '../../travel/lock.js';
import { type Difference, pinAsIs, verify } from '../../travel/place.js';
import type { Command, Context } from '../command.js';
import { json } from '../json.js';
import { jsonOption } from '../options.js';
import { UsageError } from '../usage.js';

const verbs: Readonly<Record<string, (context: Context, pool: string, more: readonly string[]) => Promise<void>>> = {
  history,
  verify: verified,
  pin,
};

export const pool: Command = {
  name: 'pool',
  summary: 'where the experts of a pool came from, and whether they are as they were',
  usage: ['history <pool>', 'verify <pool>', 'pin <pool> <expert>'],
  examples: [
    ['history my-pool', 'who brought what, from where and when'],
    ['verify my-pool', 'compares each file with what was pinned; exit code 1 if one differs'],
    ['pin my-pool kotlin', 'after you changed it, such as by training its gate'],
  ],
  options: jsonOption,
  run(context) {
    const [verb = '', folder, ...more] = context.args.positionals;
    const act = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (!act || folder === undefined || more.length !== (verb === 'pin' ? 1 : 0))
      throw new UsageError('Say what to do: gander pool history <pool>, verify <pool>, or pin <pool> <expert>.');
    return act(context, path.resolve(folder), more);
  },
};

async function history({ args, out, paint }: Context, folder: string): Promise<void> {
  const entries = await readLock(folder);
  if (args.flag('json')) {
    out(json({ entries }));
    return;
  }
  if (entries.length === 0) {
    out('No expert of this pool was added with gander add or in the editor.\n');
    return;
  }
  const rows = entries.map(({ id, added, author = '', source, revision, packed, files, removed }) => [
    plain(id),
    added.slice(0, 16).replace('T', ' '),
    plain(author),
    plain(source),
    (revision ?? packed ?? files['adapter_model.safetensors']?.sha256 ?? '').slice(0, 12),
    removed === undefined ? '' : `removed ${removed.slice(0, 10)}`,
  ]);
  out(table(['expert', 'added (UTC)', 'by', 'from', 'pinned at', ''], rows, 'llllll', paint));
}

async function verified({ args, out, progress }: Context, folder: string): Promise<void> {
  const { pinned, unpinned, differences } = await verify(folder, progress.count('experts'));
  progress.clear();
  if (args.flag('json')) out(json({ pinned, unpinned, differences }));
  else {
    out(differences.map((one) => `${line(one)}\n`).join(''));
    out(`${pinned.length} pinned, ${differences.length} differences, ${unpinned.length} that were never pinned.\n`);
  }
  if (differences.length === 0) return;
  throw new GanderError(
    'expert-invalid',
    `${new Set(differences.map(({ id }) => id)).size} of ${pinned.length} experts are not as they were pinned.`,
    'Add them again from where they came from (gander pool history), or pin what you changed yourself (gander pool pin).',
  );
}

const line = ({ id, file, what }: Difference): string =>
  `${plain(id)}${file === undefined ? '' : `/${file}`}  ${what === 'new' ? 'was not there' : `is ${what}`}`;

async function pin({ args, out }: Context, folder: string, [id = '']: readonly string[]): Promise<void> {
  const entry = await pinAsIs(folder, id);
  if (args.flag('json')) out(json(entry));
  else out(`${plain(id)} is pinned as it is now.\n`);
}
