/** PEFT's `rank_pattern` and `alpha_pattern`: values by the end of a module's path, or by a regular expression. */
import { RE2JS } from 're2js';
import { GanderError } from '../errors/errors.js';
import { poolLimits } from '../checks/limits.js';

/** The value for a module's path; undefined if no key matches. */
export type PatternValue = (path: string) => number | undefined;

interface Key {
  readonly value: number;
  readonly matches: (path: string) => boolean;
}

/**
 * The first key that matches counts, as with Python's `re.match(rf"(.*\.)?({key})$", path)`. A pool's expressions are not
 * trusted to finish under backtracking; RE2 takes time in proportion to the path, whatever the expression.
 *
 * @throws GanderError `expert-invalid` for more keys than a model has modules, or a key that RE2 does not support.
 */
export function readPatterns(
  name: string,
  patterns: Readonly<Record<string, number>> | null | undefined,
): PatternValue {
  const entries = Object.entries(patterns ?? {});
  if (entries.length > poolLimits.patterns)
    throw invalid(`${name} has ${entries.length} entries; an adapter changes at most ${poolLimits.patterns} modules`);
  let expressions = 0;
  const keys = entries.map(([key, value]): Key => {
    // Only names and dots, which is all that PEFT itself writes, need no expression; the dot still stands for any character.
    if (/^[\w.-]+$/.test(key)) return { value, matches: (path) => endsLike(path, key) };
    if (++expressions > poolLimits.expressions)
      throw invalid(`${name} has more than ${poolLimits.expressions} regular expressions`);
    const expression = compile(name, key);
    return { value, matches: (path) => expression.matches(path) };
  });
  return (path) => keys.find(({ matches }) => matches(path))?.value;
}

/** Whether the path is the key, or ends with it after a dot; a dot in the key stands for any character. */
function endsLike(path: string, key: string): boolean {
  const offset = path.length - key.length;
  if (offset < 0 || (offset > 0 && path[offset - 1] !== '.')) return false;
  for (let i = key.length - 1; i >= 0; i--) if (key[i] !== '.' && key[i] !== path[offset + i]) return false;
  return true;
}

function compile(name: string, key: string): RE2JS {
  const shown = `the pattern "${key.slice(0, 80)}" in ${name}`;
  if (key.length > poolLimits.expression) throw invalid(`${shown} is longer than ${poolLimits.expression} characters`);
  // RE2 compiles (a?){1000} to thousands of steps.
  if (key.includes('{')) throw invalid(`${shown} counts repetitions ({n}), which Gander does not support`);
  try {
    return RE2JS.compile(`(?:.*\\.)?(?:${key})`);
  } catch (cause) {
    throw invalid(`${shown} is not a regular expression without lookaround and back references`, cause);
  }
}

function invalid(message: string, cause?: unknown): GanderError {
  return new GanderError('expert-invalid', message, 'Write plain module names in adapter_config.json.', { cause });
}
