import { writtenTokens } from '../../checks/limits.js';
import { GanderError } from '../../errors/errors.js';
import { hasTarget } from '../../requests/modelInfo.js';
import { plain } from '../../trace/text/label.js';
import type { Command, Options } from '../command.js';
import { readInputs } from '../input.js';
import { json, traceJson, warningsJson } from '../json.js';
import { anyEngineOptions, askedFor, inputOptions, runOptions, targetFor } from '../options.js';
import { checkNames, save, saveInto, saveOptions } from '../save.js';
import { traceTable } from '../traceTable.js';
import { UsageError } from '../usage.js';
import { parseCount } from '../words.js';

const options = {
  'max-tokens': {
    type: 'string',
    short: 'n',
    value: 'n',
    help: `for an encoder-decoder without --target: the most tokens that it writes (default: ${writtenTokens})`,
  },
} as const satisfies Options;

export const route: Command = {
  name: 'route',
  summary: 'route a text and show which experts each token went to',
  usage: ['[text]', '--file <file>…', '< file', '[text] --target <text>'],
  examples: [
    ['"def add(a, b): return a + b"', 'with the pool that ships'],
    ['--file main.py --strategy phatgoose:3 --trace out.gander.safetensors', 'saved, for the editor and for show'],
    ['--file src/*.py --trace traces', 'many texts with the model loaded once; a file for each in the folder traces'],
    ['"SELECT name FROM birds;" --knock-out sql', 'what happens without an expert'],
  ],
  options: {
    ...inputOptions,
    file: {
      ...inputOptions.file,
      multiple: true,
      help: 'read the text from a file; further arguments are more files',
    },
    ...options,
    ...runOptions,
    ...saveOptions,
    ...anyEngineOptions,
  },
  async run({ args, out, open, progress, paint, columns, signal }) {
    const texts = await readInputs(args);
    checkNames(texts, args);
    const most = args.text('max-tokens');
    const maxTokens = most === undefined ? undefined : parseCount(most, '--max-tokens');
    const { engine, model } = await open();
    const output = targetFor(args, model);
    if (maxTokens !== undefined && (!hasTarget(model) || output.target !== undefined))
      throw new UsageError('--max-tokens is for what an encoder-decoder writes: see gander generate for other models.');
    const asked = { ...output, ...askedFor(args, model), ...(maxTokens !== undefined && { maxTokens }) };
    const shown: object[] = [];
    for (const { file, text } of texts) {
      const trace = await named(
        file,
        engine.route(
          { ...asked, text },
          { signal, onProgress: progress.count('tokens', file === undefined ? 'routing' : plain(file)) },
        ),
      );
      progress.clear();
      if (file === undefined) await save(trace, args);
      else await saveInto(trace, args, file);
      const about = file === undefined ? {} : { file };
      if (args.flag('json')) shown.push({ ...about, ...traceJson(trace) });
      else {
        const table = traceTable(trace, paint, columns);
        out(file === undefined ? table : `${paint.bold(plain(file))}\n${table}\n`);
      }
    }
    const [first] = shown;
    if (first) out(json({ ...(texts.length > 1 ? { files: shown } : first), ...warningsJson(model.warnings) }));
  },
};

/** With several texts, an error says which one it is about. */
async function named<T>(file: string | undefined, result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (thrown) {
    if (file === undefined) throw thrown;
    const { code, message, remedy } = GanderError.from(thrown);
    throw new GanderError(code, `${file}: ${message}`, remedy, { cause: thrown });
  }
}
