import path from 'node:path';
import { importInChild } from '../../import/client.js';
import { checkImportSize } from '../../import/index.js';
import type { Job } from '../../import/job.js';
import { importLimits } from '../../checks/limits.js';
import { encodeTrace } from '../../trace/file/file.js';
import { plain } from '../../trace/text/label.js';
import type { Arguments, Command, Options } from '../command.js';
import { readBytes, readTextUpTo, sizeOf } from '../input.js';
import { json, runJson, warningsJson } from '../json.js';
import { jsonOption } from '../options.js';
import { write } from '../save.js';
import { UsageError } from '../usage.js';
import { parseCount } from '../words.js';

const options = {
  out: { type: 'string', short: 'o', value: 'file', help: 'save the trace (name it *.gander.safetensors)' },
  text: { type: 'string', value: 'file', help: 'the text that was routed' },
  tokenizer: { type: 'string', value: 'file', help: 'the model’s tokenizer.json' },
  config: { type: 'string', value: 'file', help: 'the model’s config.json: its experts and layers' },
  k: { type: 'string', short: 'k', value: 'n', help: 'experts per token, if neither the file nor --config says' },
  part: { type: 'string', value: 'n', help: 'which of several texts in the file (default: 1)' },
} as const satisfies Options;

export const importFile: Command = {
  name: 'import',
  summary: 'make a trace of routing that another program recorded',
  usage: ['<file> -o <trace file>'],
  examples: [['routing.csv --config config.json -o out.gander.safetensors', 'routing from a table']],
  options: { ...options, ...jsonOption },
  async run({ args, out }) {
    const [file, ...more] = args.positionals;
    const target = args.text('out');
    if (file === undefined || more.length > 0) throw new UsageError('Give one file to import.');
    if (target === undefined) throw new UsageError('Say where to save the trace: -o <file>.');
    const entry = path.join(__dirname, 'import.cjs');
    const { trace, warnings } = await importInChild(jobOf(file, args), { entry });
    await write(target, encodeTrace(trace));
    const [sequence] = trace.sequences;
    const facts = { tokens: sequence!.done, layers: trace.modules.length, experts: trace.blocks[0]?.experts ?? 0 };
    if (args.flag('json')) {
      out(json({ ...runJson(trace), ...facts, k: trace.router.k, ...warningsJson(warnings) }));
      return;
    }
    for (const { text } of warnings) process.stderr.write(`gander: warning: ${plain(text)}\n`);
    out(`${plain(target)}: ${facts.tokens} tokens, ${facts.layers} layers of ${facts.experts} experts\n`);
  },
};

function jobOf(file: string, args: Arguments): Job {
  const [text, tokenizer, config] = [args.text('text'), args.text('tokenizer'), args.text('config')];
  const count = (option: 'k' | 'part') => {
    const value = args.text(option);
    return value === undefined ? {} : { [option]: parseCount(value, `--${option}`) };
  };
  checkImportSize(sizeOf(file));
  return {
    name: path.basename(file),
    bytes: readBytes(file),
    ...(text !== undefined && { text: readTextUpTo(text, importLimits.text) }),
    ...(tokenizer !== undefined && { tokenizer: path.resolve(tokenizer) }),
    ...(config !== undefined && { config: readBytes(config, importLimits.config) }),
    ...count('k'),
    ...count('part'),
  };
}
