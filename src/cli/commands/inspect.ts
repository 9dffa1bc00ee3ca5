import { statSync } from 'node:fs';
import type { ModelInfo, MoeInfo, PoolInfo, ServerInfo } from '../../requests/api.js';
import { deviceText } from '../../requests/device.js';
import { slotsOf } from '../../look/palette.js';
import { shortLabelsOf } from '../../look/shortLabels.js';
import { columns, table } from '../../terminal/columns.js';
import type { Paint } from '../../terminal/paint.js';
import { kindsOf, layersOf } from '../../trace/model/access.js';
import { interventionText, layerText, plain, routerText } from '../../trace/text/label.js';
import { absentParts, partsOf } from '../../trace/figures/summary.js';
import type { RoutedModule, Source, Trace } from '../../trace/model/trace.js';
import { frameOf } from '../../transport/pieces.js';
import type { Arguments } from '../command.js';
import { type Command, type Options } from '../command.js';
import { ioError, readTrace } from '../input.js';
import { json, runJson, warningsJson } from '../json.js';
import { anyEngineOptions, jsonOption } from '../options.js';
import { UsageError } from '../usage.js';

const options = {
  modules: { type: 'boolean', help: 'name every module' },
  'try-again': { type: 'boolean', help: 'try the card of --device again, whatever an earlier try found' },
} as const satisfies Options;

export const inspect: Command = {
  name: 'inspect',
  summary: 'what is in a pool and where it was placed, or what a trace file holds',
  usage: ['[pool folder]', '<trace file>'],
  examples: [
    ['', 'the pool that ships'],
    ['out.gander.safetensors', 'what a trace file holds'],
    ['--model models/gosling-moe --modules', 'every router of a mixture'],
    ['--device webgpu --try-again', 'whether a graphics card gives the same, and how fast'],
  ],
  options: { ...options, ...jsonOption, ...anyEngineOptions },
  async run({ args, out, open, paint }) {
    if (args.positionals.length > 1) throw new UsageError('Give one pool folder or one trace file.');
    const target = args.positionals[0];
    if (target !== undefined && !isFolder(target)) {
      const trace = readTrace(target);
      out(args.flag('json') ? json(traceFacts(trace)) : traceText(trace, paint, args));
      return;
    }
    const { model } = await open(target);
    out(args.flag('json') ? json(modelFacts(model)) : modelText(model, paint, args));
  },
};

/** The facts about a model, for scripts. */
function modelFacts({ modules = [], warnings, expertSets, ...model }: ModelInfo): object {
  const own = model.kind === 'pool' ? {} : { expertSets };
  return {
    ...model,
    ...own,
    ...warningsJson(warnings),
    modules: modules.map(({ path, layer, kind }) => ({ path, layer, kind })),
  };
}

function isFolder(target: string): boolean {
  try {
    return statSync(target).isDirectory();
  } catch (cause) {
    throw ioError('read', target, cause);
  }
}

function facts(lines: readonly (readonly [string, string | undefined])[]): string {
  const known = lines.flatMap(([name, value]) => (value === undefined ? [] : [[plain(name), plain(value)]]));
  return columns(known, 'll')
    .map((line) => `${line}\n`)
    .join('');
}

function poolText(pool: PoolInfo, paint: Paint, args: Arguments): string {
  const slots = slotsOf(pool.experts.length, []);
  const shortLabels = shortLabelsOf(pool.experts);
  const experts = pool.experts.map((e, i) => [
    `${paint.slot(slots[i]!, shortLabels[i]!)} ${plain(e.id)}`,
    plain(e.name),
    String(e.rank),
    megabytes(e.bytes),
    plain(e.license ?? ''),
    plain(e.datasets?.join(', ') ?? ''),
  ]);
  return [
    paint.bold(plain(pool.name)) + '\n',
    facts([
      ['id', pool.id],
      ['description', pool.description],
      ['base', pool.baseName],
      ['subtracted', pool.general?.join(', ')],
      ['licence', pool.license],
      ['folder', pool.folder],
      ['hash', pool.hash],
      ['context', `${pool.contextLength} tokens`],
      ['top k', String(pool.topK)],
      ['strategies', pool.strategies.join(', ')],
      ['computed by', pool.device && deviceText(pool.device)],
    ]),
    '\n',
    table(['expert', 'name', 'rank', 'size', 'licence', 'data'], experts, 'llrrll', paint),
    '\n',
    placement(pool.modules, paint, args),
    ...pool.warnings.map(({ text }) => paint.warn(`warning: ${plain(text)}`) + '\n'),
  ].join('');
}

function modelText(model: ModelInfo, paint: Paint, args: Arguments): string {
  switch (model.kind) {
    case 'pool':
      return poolText(model, paint, args);
    case 'moe':
      return moeText(model, paint, args);
    case 'server':
      return serverText(model, paint, args);
  }
}

function serverText(model: ServerInfo, paint: Paint, args: Arguments): string {
  const { can, limits, versions, modules } = model;
  const { strategies, k: _k, target: _target, ...abilities } = can;
  const able = Object.entries(abilities).flatMap(([what, ability]) => (ability === true ? [what] : []));
  return [
    paint.bold(plain(model.name)) + '\n',
    facts([
      ['engine', model.engine],
      ['address', model.address],
      ['versions', versionsOf({ versions })],
      ['can', able.join(', ')],
      ['strategies', strategies.map(({ name }) => name).join(', ') || undefined],
      ['context', limits.tokens === undefined ? undefined : `${limits.tokens} tokens`],
    ]),
    ...(modules ? ['\n', placement(modules, paint, args)] : []),
    ...model.warnings.map(({ text }) => paint.warn(`warning: ${plain(text)}`) + '\n'),
  ].join('');
}

function moeText(model: MoeInfo, paint: Paint, args: Arguments): string {
  const sizes = [...new Set(model.expertSets.map(({ experts }) => experts.length))];
  return [
    paint.bold(plain(model.name)) + '\n',
    facts([
      ['router', routerText(model.router)],
      ['scoring', model.router.scoring],
      ['another k', model.mostK === undefined ? 'cannot be asked for' : `can be asked for, up to ${model.mostK}`],
      ['experts', `${sizes.join(', ')} a layer`],
      ['folder', model.folder],
      ['hash', model.hash],
      ['context', `${model.contextLength} tokens`],
      ['computed by', model.device && deviceText(model.device)],
    ]),
    '\n',
    placement(model.modules, paint, args),
    ...model.warnings.map(({ text }) => paint.warn(`warning: ${plain(text)}`) + '\n'),
  ].join('');
}

/** How many layers have which kinds, or each module's name. */
function placement(modules: readonly RoutedModule[], paint: Paint, args: Arguments): string {
  if (args.flag('modules')) return modules.map((m) => `${plain(m.path)}\n`).join('');
  const layers = new Set(modules.map(layerText));
  // In the order in which the model computes them.
  const present = [...new Set(modules.map((m) => m.kind))];
  const rows = present.map((kind) => [
    plain(kind),
    `${modules.filter((m) => m.kind === kind).length} of ${layers.size} layers`,
  ]);
  return `${modules.length} modules placed\n${table(['kind', 'where'], rows, 'll', paint)}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function traceText(trace: Trace, paint: Paint, args: Arguments): string {
  const { source, sequences, expertSets, modules, blocks } = trace;
  const marks = [source.id, source.hash].filter((mark) => mark !== undefined);
  const sets = new Set(expertSets.map(({ experts }) => experts.map(({ id }) => id).join(', ')));
  const own = expertSets.length > 1 ? ` (${expertSets.length} routers have experts of their own)` : '';
  const layers = new Set(layersOf(trace).map(({ stack, layer }) => `${stack ?? ''} ${layer}`));
  return [
    facts([
      [source.kind, marks.length > 0 ? `${source.name} (${marks.join(', ')})` : source.name],
      ['strategy', routerText(trace.router)],
      ['what-if', trace.interventions.map(interventionText).join('; ') || undefined],
      [
        'tokens',
        sequences.map(({ role, done }) => (sequences.length > 1 ? `${done} (${role})` : `${done}`)).join(', '),
      ],
      ['modules', `${modules.length} in ${layers.size} layers (${kindsOf(trace).join(' ')})`],
      ['experts', [...sets].slice(0, 1).join('') + own],
      ['chosen', `${[...new Set(blocks.map(({ k }) => k))].join(', ')} a cell`],
      ['holds', given(trace).join(', ')],
      ['made', [trace.created, versionsOf(source)].filter((part) => part !== undefined).join(' by ')],
    ]),
    ...(args.flag('modules') ? [placement(modules, paint, args)] : []),
  ].join('');
}

function versionsOf({ versions }: Pick<Source, 'versions'>): string | undefined {
  const all = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return all.length > 0 ? all.join(', ') : undefined;
}

/** Which parts the source gave, of those that it may leave out. */
function given(trace: Trace): string[] {
  const absent = new Set(trace.sequences.flatMap((_, sequence) => absentParts(trace, { sequence })));
  return ['choices', ...partsOf(trace).filter((part) => !absent.has(part))];
}

function traceFacts(trace: Trace): object {
  const { sequences, expertSets, modules, blocks } = trace;
  return {
    ...runJson(trace),
    text: sequences[0]!.text,
    tokens: sequences[0]!.done,
    modules: modules,
    experts: expertSets[0]?.experts ?? [],
    k: blocks[0]?.k ?? 0,
    predictions: sequences[0]!.predictions,
    holds: given(trace),
    sequences: sequences.map(({ role, text, done, predictions }) => ({ role, text, tokens: done, predictions })),
    expertSets,
    blocks: frameOf(trace).blocks,
  };
}
