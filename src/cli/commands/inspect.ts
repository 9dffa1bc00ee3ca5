import { statSync } from 'node:fs';
import type { PoolInfo } from '../../engine/api.js';
import { expertStyle } from '../../shared/palette.js';
import { kindsOf, layersOf } from '../../trace/access.js';
import { interventionText, plain, strategyText } from '../../trace/label.js';
import type { Module, Trace } from '../../trace/trace.js';
import { kinds } from '../../trace/trace.js';
import type { Arguments } from '../command.js';
import { type Command, type Options } from '../command.js';
import { ioError, readTrace } from '../input.js';
import { json, runJson } from '../json.js';
import { engineOptions, jsonOption } from '../options.js';
import { type Paint, table } from '../terminal.js';
import { UsageError } from '../usage.js';

const options = { modules: { type: 'boolean', help: 'name every module' } } as const satisfies Options;

export const inspect: Command = {
  name: 'inspect',
  summary: 'what is in a pool and where it was placed, or what a trace file holds',
  usage: ['[pool folder]', '<trace file>'],
  options: { ...options, ...jsonOption, ...engineOptions },
  async run({ args, out, open, paint }) {
    if (args.positionals.length > 1) throw new UsageError('Give one pool folder or one trace file.');
    const target = args.positionals[0];
    if (target !== undefined && !isFolder(target)) {
      const trace = readTrace(target);
      out(args.flag('json') ? json(traceFacts(trace)) : traceText(trace, paint, args));
      return;
    }
    const { pool } = await open(target);
    out(args.flag('json') ? json(pool) : poolText(pool, paint, args));
  },
};

function isFolder(target: string): boolean {
  try {
    return statSync(target).isDirectory();
  } catch (cause) {
    throw ioError('read', target, cause);
  }
}

function facts(lines: readonly (readonly [string, string | undefined])[]): string {
  const known = lines.filter(([, value]) => value !== undefined);
  return known.map(([name, value]) => `${name.padEnd(12)}${plain(value!)}\n`).join('');
}

function poolText(pool: PoolInfo, paint: Paint, args: Arguments): string {
  const experts = pool.experts.map((e, i) => [
    `${paint.expert(i, expertStyle(i).letter)} ${plain(e.id)}`,
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
      ['licence', pool.license],
      ['folder', pool.folder],
      ['hash', pool.hash],
      ['context', `${pool.contextLength} tokens`],
      ['top k', String(pool.topK)],
      ['strategies', pool.strategies.join(', ')],
    ]),
    '\n',
    table(['expert', 'name', 'rank', 'size', 'licence', 'data'], experts, 'llrrll', paint),
    '\n',
    placement(pool.modules, paint, args),
    ...pool.warnings.map((warning) => paint.warn(`warning: ${plain(warning)}`) + '\n'),
  ].join('');
}

/** How many layers have which kinds, or each module's name. */
function placement(modules: readonly Module[], paint: Paint, args: Arguments): string {
  if (args.flag('modules')) return modules.map((m) => `${plain(m.path)}\n`).join('');
  const layers = new Set(modules.map((m) => m.layer));
  const order = (kind: string) => (kinds as readonly string[]).indexOf(kind);
  const present = [...new Set(modules.map((m) => m.kind))].sort((a, b) => order(a) - order(b));
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
  return [
    facts([
      ['pool', `${trace.pool.name} (${trace.pool.id}, ${trace.pool.hash})`],
      ['strategy', strategyText(trace.strategy)],
      ['what if', trace.interventions.map(interventionText).join('; ') || undefined],
      ['tokens', String(trace.tokens.ids.length)],
      ['modules', `${trace.modules.length} in ${layersOf(trace).length} layers (${kindsOf(trace).join(' ')})`],
      ['experts', trace.experts.map((e) => e.id).join(', ')],
      ['chosen', `${trace.k} a cell`],
      ['holds', given(trace).join(', ')],
      [
        'made',
        `${trace.created} by ${Object.entries(trace.versions)
          .map(([name, v]) => `${name} ${v}`)
          .join(', ')}`,
      ],
    ]),
    ...(args.flag('modules') ? [placement(trace.modules, paint, args)] : []),
  ].join('');
}

/** What a source need not give. */
function given(trace: Trace): string[] {
  const names = {
    affinity: trace.affinity,
    contribution: trace.contribution,
    'log-probability': trace.logProb,
    predictions: trace.topIds,
  };
  return ['choices', 'weights', ...Object.entries(names).flatMap(([name, value]) => (value ? [name] : []))];
}

function traceFacts(trace: Trace): object {
  return {
    ...runJson(trace),
    text: trace.text,
    tokens: trace.tokens.ids.length,
    modules: trace.modules,
    experts: trace.experts,
    k: trace.k,
    predictions: trace.predictions,
    holds: given(trace),
  };
}
