import { bytesInWords } from '../../formats/bytes.js';
import { bundledModels } from '../../product/bundled.js';
import { modelsAddress } from '../../product/published.js';
import { columns } from '../../terminal/columns.js';
import { type Arguments, type Command, type Options } from '../command.js';
import { json } from '../json.js';
import { getModel, isComplete } from '../models/get.js';
import { type ModelName, bytesOf, fetchedModels, findModel, isModelName, modelNames } from '../models/shipped.js';
import { jsonOption } from '../options.js';
import { UsageError } from '../usage.js';

export const models: Command = {
  name: 'models',
  summary: 'the models that ship with Gander: where they are; fetch them where they are not',
  usage: ['', 'get [name...]'],
  examples: [
    ['', 'which are on this machine'],
    ['get', 'fetch those that are not, or go on where a fetch stopped'],
    ['get gosling-moe --from ~/gander/models', 'one of them, from a clone'],
  ],
  options: {
    from: {
      type: 'string',
      value: 'address|folder',
      help: `where they are, a folder for each model (default: ${modelsAddress ?? 'none, this build was not published'})`,
    },
    ...jsonOption,
  } satisfies Options,
  async run({ args, out, progress }) {
    const [verb, ...named] = args.positionals;
    if (verb === undefined) {
      out(args.flag('json') ? json(list()) : listText());
      return;
    }
    if (verb !== 'get') throw new UsageError(`"${verb}" is not known here: gander models, or gander models get.`);
    const { fetchBy } = await import('../../travel/web/web.js');
    for (const name of named.length > 0 ? namesOf(named) : modelNames) {
      const found = findModel(__dirname, name);
      // Beside the program, a model came with it; it may be one that the user works on.
      const isFetched = found?.startsWith(fetchedModels());
      if (found !== undefined && (!isFetched || (await isComplete(found, name)))) {
        out(`${name} is in ${found}\n`);
        continue;
      }
      const tell = progress.count('MB', name);
      const of = megabytes(bytesOf(name));
      const folder = await getModel(name, {
        from: sourceOf(args),
        to: fetchedModels(),
        fetch: fetchBy(process.env),
        got: (bytes) => tell(megabytes(bytes), of),
      });
      progress.clear();
      out(`${name} is in ${folder}\n`);
    }
  },
};

const megabytes = (bytes: number) => Math.round(bytes / 1e6);

function namesOf(named: readonly string[]): readonly ModelName[] {
  const unknown = named.find((name) => !isModelName(name));
  if (unknown !== undefined)
    throw new UsageError(`"${unknown}" does not ship with Gander: ${modelNames.join(' and ')} do.`);
  return named.filter(isModelName);
}

function sourceOf(args: Arguments): string {
  const from = args.text('from') ?? modelsAddress;
  if (from !== undefined) return from;
  throw new UsageError(
    'This build of Gander does not know where its models are published. Give --from: an address, or the folder models of a clone.',
  );
}

const list = () =>
  bundledModels.map(({ folder, title }) => {
    const found = findModel(__dirname, folder);
    return { name: folder, title, bytes: bytesOf(folder), ...(found !== undefined && { folder: found }) };
  });

function listText(): string {
  const rows = list().map(
    ({ name, title, bytes, folder }) =>
      [name, bytesInWords(bytes), title, folder ?? `not on this machine: gander models get ${name}`] as const,
  );
  return `${columns(rows, 'lrll').join('\n')}\n`;
}
