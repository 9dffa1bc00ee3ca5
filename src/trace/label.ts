/** How tokens, strategies and what-ifs are written in one line of plain text. */
import { isSpecial } from './access.js';
import type { Intervention, Scope, Strategy, Trace } from './trace.js';

/** The text's own characters under a token; the vocabulary's spelling where there are none. */
export function tokenText(trace: Trace, t: number): string {
  const spelled = trace.tokens.text[t]!;
  return isSpecial(trace, t) ? spelled : trace.text.slice(trace.tokens.start[t], trace.tokens.end[t]) || spelled;
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
