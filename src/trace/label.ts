/** How tokens, strategies and what-ifs are written in one line of plain text, and strategies read back from it. */
import { isSpecial } from './access.js';
import type { Intervention, Scope, Strategy, Trace } from './trace.js';

/** The text's own characters under a token; the vocabulary's spelling where there are none. */
export function tokenText(trace: Trace, t: number): string {
  const spelled = trace.tokens.text[t]!;
  return isSpecial(trace, t) ? spelled : trace.text.slice(trace.tokens.start[t], trace.tokens.end[t]) || spelled;
}

/** A token in labels and tables: `␣function`, `⏎`, `<|endoftext|>`. */
export function tokenLabel(trace: Trace, t: number): string {
  return visible(tokenText(trace, t));
}

/** The text's own characters under a token; empty where it shares a character with the token before (bytes of an emoji). */
export function covered(trace: Trace, t: number): string {
  const { start, end } = trace.tokens;
  if (isSpecial(trace, t)) return '';
  const from = t > 0 ? Math.max(start[t]!, end[t - 1]!) : start[t]!;
  return trace.text.slice(from, Math.max(from, end[t]!));
}

/** Whitespace made visible: `␣function`, `⏎`. Control and direction marks, which would garble a line or a terminal, are dots. */
export function visible(text: string): string {
  return plain(text.replace(/\r?\n/g, '⏎').replace(/\t/g, '→').replace(/ /g, '␣')) || '∅';
}

/** As one line that does nothing: for names and descriptions that come from files. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '·');
}

/** As on the command line: `base`, `phatgoose:2`, `single:python`, `retrieval` (and what it picked, if known). */
export function strategyText(strategy: Strategy): string {
  if ('k' in strategy) return `${strategy.name}:${strategy.k}`;
  return 'expert' in strategy ? `${strategy.name}:${strategy.expert}` : strategy.name;
}

/** How every strategy may be written, for messages. */
export const strategyForms =
  'base, single:<expert>, phatgoose[:k], retrieval, merged, average-activation[:k], arrow[:k], multitask';

/** A count from 1; undefined for all else. */
export function readCount(text: string): number | undefined {
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined;
}

/** What `strategyText` wrote; `k` is for those that take one and do not name it. Undefined for what is no strategy. */
export function readStrategy(
  text: string,
  k?: (name: 'phatgoose' | 'average-activation' | 'arrow') => number,
): Strategy | undefined {
  const [, name, argument] = /^([^:]*)(?::(.*))?$/s.exec(text)!;
  switch (name) {
    case 'base':
    case 'merged':
    case 'multitask':
    case 'retrieval':
      return argument === undefined ? { name } : undefined;
    case 'single':
      return argument ? { name, expert: argument } : undefined;
    case 'phatgoose':
    case 'average-activation':
    case 'arrow': {
      const count = argument === undefined ? k?.(name) : readCount(argument);
      return count === undefined ? undefined : { name, k: count };
    }
    default:
      return undefined;
  }
}

/** `knock-out python@layer=3,kind=q`, `tilt sql=+0.5`. */
export function interventionText(intervention: Intervention): string {
  const amount =
    intervention.action === 'tilt' ? `=${intervention.amount < 0 ? '' : '+'}${String(intervention.amount)}` : '';
  return `${intervention.action} ${intervention.expert}${scopeText(intervention.scope)}${amount}`;
}

function scopeText(scope: Scope): string {
  const parts = Object.entries(scope).map(([axis, value]) => `${axis}=${String(value)}`);
  return parts.length > 0 ? `@${parts.join(',')}` : '';
}

/** 0.1234 → `12.3 %`; an en dash where it is not known. */
export function percent(share: number): string {
  return Number.isNaN(share) ? '–' : `${(100 * share).toFixed(1)} %`;
}

export function decimal(x: number, digits = 2): string {
  return Number.isNaN(x) ? '–' : x.toFixed(digits);
}
