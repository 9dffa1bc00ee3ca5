import type { Command, Context, Options } from '../command.js';
import { agree, agreeOptions } from '../atlas/agree.js';
import { compare } from '../atlas/compare.js';
import { corpusOptions } from '../atlas/corpus.js';
import { make, makeOptions } from '../atlas/make.js';
import { merge } from '../atlas/merge.js';
import { show, showOptions } from '../atlas/show.js';
import { anyEngineOptions, jsonOption, strategyOptions } from '../options.js';
import { UsageError } from '../usage.js';

const out = {
  out: { type: 'string', short: 'o', value: 'folder', help: 'make, merge: the atlas (name it *.gander-atlas)' },
} as const satisfies Options;

const verbs: Readonly<Record<string, (context: Context, given: readonly string[]) => Promise<void>>> = {
  make,
  show,
  merge,
  agree,
  compare,
};

export const atlas: Command = {
  name: 'atlas',
  summary: 'what each expert does over a corpus, beside what chance would say',
  usage: [
    'make <file or folder>… -o <atlas>',
    'show <atlas>',
    'merge <atlas>… -o <atlas>',
    'agree <file or folder>… --with <strategy>',
    'agree <file or folder>… --with-engine <address or folder>',
    'agree <traces> <traces>',
    'compare <atlas> <atlas>',
  ],
  examples: [
    ['make corpus -o code.gander-atlas', 'each folder in corpus is a label; if stopped, the same line continues'],
    ['make questions.jsonl --text question --label topic -o q.gander-atlas', 'one document per line'],
    ['make pages.parquet --text body -o web.gander-atlas --engine http://127.0.0.1:8000', 'run by a server'],
    ['make traces -o saved.gander-atlas', 'from saved traces; no model is run'],
    ['make corpus -o 1.gander-atlas --shard 1/2', 'the first of two parts; merge joins them'],
    ['merge 1.gander-atlas 2.gander-atlas -o code.gander-atlas', 'the same as one that was made in one go'],
    ['show code.gander-atlas', 'the layers'],
    ['show code.gander-atlas --expert 3.7', 'layer 3’s expert 7: labels, tokens, contexts'],
    ['show code.gander-atlas --label python', 'the experts that a label goes to'],
    ['agree corpus --with phatgoose:1', 'how far choices with k = 1 are those of the pool’s own k'],
    ['compare before.gander-atlas after.gander-atlas', 'what moved between two checkpoints'],
  ],
  options: {
    ...out,
    ...corpusOptions,
    ...makeOptions,
    ...showOptions,
    ...agreeOptions,
    ...strategyOptions,
    ...jsonOption,
    ...anyEngineOptions,
  },
  run(context) {
    const [verb = '', ...given] = context.args.positionals;
    const act = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (!act) throw new UsageError('Say what to do: gander atlas make, show, merge, agree or compare.');
    return act(context, given);
  },
};
