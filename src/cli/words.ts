/** Strategies and what-ifs as they are written on the command line. */
import type { ModelInfo } from '../requests/api.js';
import { GanderError } from '../errors/errors.js';
import { bounded, readCount, readStrategy, type Strategy, strategyForms, usualK } from '../strategies/index.js';
import { presentStrategy } from '../trace/file/renamed.js';
import { ambiguousExpert, meantBy } from '../trace/model/layerExperts.js';
import type { Intervention, Scope, TokenRange } from '../trace/model/trace.js';
import { UsageError } from './usage.js';

/** The most experts that a message names one by one. */
const mostNamed = 50;

/** A count from 1. */
export function parseCount(text: string, option: string): number {
  const count = readCount(text);
  if (count === undefined) throw new UsageError(`${option} takes a whole number from 1, not "${text}".`);
  return count;
}

export function parseNumber(text: string, option: string): number {
  const x = text.trim() === '' ? NaN : Number(text);
  if (!Number.isFinite(x)) throw new UsageError(`${option} takes a number, not "${text}".`);
  return x;
}

/**
 * `phatgoose`, `phatgoose:3`, `single:python`, `base`, …
 * @param k for strategies that take one but do not name it; default: the pool's
 */
export function parseStrategy(
  text: string,
  pool: { readonly topK: number; readonly experts: readonly unknown[] },
  k?: number,
): Strategy {
  const strategy = readStrategy(text, (name) => k ?? usualK(name, pool));
  if (strategy) return bounded(strategy, pool.experts.length);
  const [name = ''] = text.split(':');
  const present = presentStrategy(name);
  const renamed = present === name ? '' : ` It is now called ${present}.`;
  throw new UsageError(`There is no strategy "${text}".${renamed} Strategies: ${strategyForms()}.`);
}

/** Axes of a scope that are given as numbers, and those given as names. */
const counted = ['layer', 'token', 'sequence'] as const;
const named = ['kind', 'module'] as const;

/** `layer=3,kind=q,module=<path>,token=5`, `tokens=12..29+44`; for an encoder-decoder also `stack=encoder`, `sequence=1`. */
function parseScope(text: string, option: string): Scope {
  const scope: { -readonly [Axis in keyof Scope]: Scope[Axis] } = {};
  for (const part of text.split(',')) {
    const [, axis, value = ''] = /^([a-z]+)=(.+)$/s.exec(part) ?? [];
    const count = counted.find((name) => name === axis);
    const name = named.find((one) => one === axis);
    if (count && /^\d{1,9}$/.test(value)) scope[count] = Number(value);
    else if (name) scope[name] = value;
    else if (axis === 'tokens' && rangesPattern.test(value)) scope.tokens = readRanges(value, option);
    else if (axis === 'stack' && (value === 'encoder' || value === 'decoder')) scope.stack = value;
    else
      throw new UsageError(
        `${option}: "${part}" is not a scope. Scopes: layer=<n>, kind=<kind>, module=<path>, token=<n>, tokens=<n>..<m>, for encoder-decoders also stack=<encoder|decoder>, sequence=<0|1>, with commas between.`,
      );
  }
  return scope;
}

const rangesPattern = /^\d{1,9}(\.\.\d{1,9})?(\+\d{1,9}(\.\.\d{1,9})?)*$/;

/** `12..29+44`: each from its first to its last token. */
function readRanges(text: string, option: string): TokenRange[] {
  return text.split('+').map((part) => {
    const [from = 0, last = from] = part.split('..').map(Number);
    if (last < from) throw new UsageError(`${option}: "${part}" ends before it begins.`);
    return [from, last + 1];
  });
}

/** `expert[@scope]`, for a logit bias `expert[@scope]=amount`. */
export function parseIntervention(action: Intervention['action'], text: string): Intervention {
  const option = `--${action}`;
  const equals = action === 'logit-bias' ? text.lastIndexOf('=') : text.length;
  if (equals < 0) throw new UsageError(`${option} takes <expert>[@<scope>]=<amount>, not "${text}".`);
  const target = text.slice(0, equals);
  const at = target.indexOf('@');
  const expert = at < 0 ? target : target.slice(0, at);
  if (expert === '') throw new UsageError(`${option} takes an expert, not "${text}".`);
  const scope = at < 0 ? {} : parseScope(target.slice(at + 1), option);
  if (action !== 'logit-bias') return { action, expert, scope };
  return { action, expert, scope, amount: parseNumber(text.slice(equals + 1), option) };
}

/** @throws GanderError `request-invalid`, which names the experts that exist */
export function checkExperts(
  model: ModelInfo,
  strategies: readonly Strategy[],
  interventions: readonly Intervention[],
): void {
  // It may take a run to see which experts there are; the server refuses unknown ones.
  if (!model.expertSets) return;
  const named = [
    ...strategies.flatMap(({ expert }) => (expert === undefined ? [] : [expert])),
    ...interventions.map((i) => i.expert),
  ];
  const ids = model.expertSets.flatMap(({ experts }) => experts.map(({ id }) => id));
  const unknown = named.find((id) => !ids.includes(id));
  if (unknown === undefined) return;
  const meant = meantBy(
    unknown,
    model.expertSets.flatMap(({ experts }) => experts),
  );
  if (meant.length > 0) throw ambiguousExpert(unknown, meant);
  const leftOut = model.warnings.length > 0 ? ' gander inspect says what was left out, and why.' : '';
  const some = ids.length > mostNamed ? `${ids.slice(0, 3).join(', ')} … ${ids.at(-1)!}` : ids.join(', ');
  throw new GanderError(
    'request-invalid',
    `The ${model.kind === 'pool' ? 'pool' : 'model'} has no expert "${unknown}".`,
    `Its experts: ${some}.${leftOut}`,
  );
}
