/** Options that several commands share, and what they mean. */
import type { ModelInfo, ServerInfo } from '../requests/api.js';
import { devices } from '../requests/device.js';
import { asPool, hasTarget } from '../requests/modelInfo.js';
import { type Strategy, nativeRouter, readStrategy, strategyForms, usualStrategy } from '../strategies/index.js';
import type { Intervention } from '../trace/model/trace.js';
import type { Arguments, Options } from './command.js';
import { UsageError } from './usage.js';
import { checkExperts, parseCount, parseIntervention, parseStrategy } from './words.js';

export const helpOption = { help: { type: 'boolean', short: 'h', help: 'show this help' } } as const satisfies Options;

export const jsonOption = {
  json: { type: 'boolean', help: 'print JSON; errors too, on stderr' },
} as const satisfies Options;

export const engineOptions = {
  pool: { type: 'string', value: 'folder', help: 'the pool (default: the one that ships with Gander)' },
  model: {
    type: 'string',
    value: 'folder',
    help: 'a mixture of experts instead: a folder with model.onnx, or gosling-moe',
  },
  cache: { type: 'string', value: 'folder', help: 'where composed graphs are kept (default: the platform’s cache)' },
  deadline: {
    type: 'string',
    value: 'seconds',
    help: 'end the engine after so long without a sign of life (default: 120; 0: never)',
  },
  threads: { type: 'string', value: 'n', help: 'threads of the engine (default: onnxruntime decides)' },
  device: {
    type: 'string',
    value: 'name',
    help: `${devices.join(', ')} (default: auto, the processor unless a try of a card found it faster)`,
  },
} as const satisfies Options;

const serverOptions = {
  engine: {
    type: 'string',
    value: 'address',
    help: 'a server instead of the pool: vLLM, SGLang or gander-serve; GANDER_ENGINE_TOKEN is its token',
  },
  config: { type: 'string', value: 'file', help: 'the config.json of the server’s model: its experts and layers' },
} as const satisfies Options;

/** Where a server's model does as well as one on this machine. */
export const anyEngineOptions = { ...engineOptions, ...serverOptions } as const satisfies Options;

const textOptions = {
  text: { type: 'string', short: 't', value: 'text', help: 'the text' },
  file: { type: 'string', short: 'f', value: 'file', help: 'read the text from a file; - is stdin' },
} as const satisfies Options;

export const targetOptions = {
  target: { type: 'string', value: 'text', help: 'the output, for an encoder-decoder (default: what it writes)' },
} as const satisfies Options;

/** What a run reads. */
export const inputOptions = { ...textOptions, ...targetOptions } as const satisfies Options;

/** The output that an encoder-decoder is given. */
export function targetFor(args: Arguments, model: ModelInfo): { readonly target?: string } {
  const target = args.text('target');
  if (target === undefined) return {};
  if (hasTarget(model)) return { target };
  throw new UsageError(`--target is for encoder-decoders: ${model.name} goes on with its text.`);
}

export const strategyOptions = {
  strategy: {
    type: 'string',
    short: 's',
    value: 'name',
    help: `${strategyForms()} (default: phatgoose, or arrow for a pool without gates)`,
  },
  k: {
    type: 'string',
    short: 'k',
    value: 'n',
    help: 'experts per token, if the strategy does not say (default: the pool’s, or the model’s own)',
  },
} as const satisfies Options;

const interventionOptions = {
  'knock-out': { type: 'string', multiple: true, value: 'expert[@scope]', help: 'never choose this expert' },
  force: { type: 'string', multiple: true, value: 'expert[@scope]', help: 'this expert with weight 1, all others 0' },
  'logit-bias': {
    type: 'string',
    multiple: true,
    value: 'expert[@scope]=amount',
    help: 'add to its affinity or router logit before the choice',
  },
} as const satisfies Options;

/** How a run is done and printed. */
export const runOptions = { ...strategyOptions, ...interventionOptions, ...jsonOption } as const satisfies Options;

/** What a run is asked to do. */
export interface Asked {
  /** Absent if the model uses its own router. */
  readonly strategy?: Strategy;
  readonly interventions: readonly Intervention[];
}

/** Checked against the model. Knock-outs come after logit biases and forces, so that they win. */
export function askedFor(args: Arguments, model: ModelInfo): Asked {
  const strategy = strategyFor(args, model);
  const interventions = (['logit-bias', 'force', 'knock-out'] as const).flatMap((action) =>
    args.list(action).map((text) => parseIntervention(action, text)),
  );
  checkExperts(model, strategy ? [strategy] : [], interventions);
  return { interventions, ...(strategy && { strategy }) };
}

function strategyFor(args: Arguments, model: ModelInfo): Strategy | undefined {
  if (model.kind === 'pool')
    return parseStrategy(args.text('strategy') ?? usualStrategy(model.strategies), model, kOf(args));
  if (model.kind === 'moe' && args.text('strategy') === undefined) return nativeStrategy(args);
  if (model.kind === 'server' && model.can.strategies.length > 0) return offered(args, model);
  for (const name of ['strategy', 'k'])
    if (args.text(name) !== undefined)
      throw new UsageError(`--${name} is for pools: ${model.name} routes by its native router.`);
  return undefined;
}

/** A mixture's native router, if another k is asked for. */
export function nativeStrategy(args: Arguments): Strategy | undefined {
  const k = kOf(args);
  return k === undefined ? undefined : { name: nativeRouter.name, k };
}

/** The strategy to compare with. @throws UsageError if the model does not offer it */
export function strategyBeside(text: string, args: Arguments, model: ModelInfo): Strategy {
  if (model.kind !== 'moe') return parseStrategy(text, asPool(model), kOf(args));
  const strategy = readStrategy(text, () => kOf(args) ?? model.router.k ?? 1);
  if (strategy?.name === nativeRouter.name) return strategy;
  throw new UsageError(`${model.name} routes by its native router: compare it with another k, as --with native:1.`);
}

/** The named one of the strategies that a server offers, or else its first. */
function offered(args: Arguments, server: ServerInfo): Strategy {
  const { names, topK } = offeredBy(server);
  const strategy = parseStrategy(args.text('strategy') ?? names[0]!, { topK, experts: server.experts }, kOf(args));
  if (!names.includes(strategy.name))
    throw new UsageError(`${server.name} does not offer "${strategy.name}", but ${names.join(', ')}.`);
  return strategy;
}

/** The strategies that a server offers, and how many experts it gives a token. */
export function offeredBy({ can, limits }: ServerInfo): { readonly names: readonly string[]; readonly topK: number } {
  return { names: can.strategies.map(({ name }) => name), topK: limits.k ?? 1 };
}

export function kOf(args: Arguments): number | undefined {
  const k = args.text('k');
  return k === undefined ? undefined : parseCount(k, '--k');
}
