import type { z } from 'zod';

/** The first problem that a schema found, in words: "`topK` must be at most 1024". */
export function schemaProblem(error: z.ZodError): string {
  const issue = error.issues[0];
  if (!issue) return 'it is not what was expected';
  const where = issue.path.length > 0 ? `"${issue.path.join('.').slice(0, 120)}"` : 'it';
  return `${where} ${predicate(issue)}`;
}

function predicate(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      // zod does not put the value into the issue, so only its message tells whether it was missing.
      return issue.message.endsWith('received undefined') ? 'is missing' : `must be ${kind(issue.expected)}`;
    case 'invalid_value':
      return `must be ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`;
    case 'too_big':
      return `must ${extent(issue.origin, `at most ${issue.maximum}`)}`;
    case 'too_small':
      return issue.origin === 'string' && Number(issue.minimum) <= 1
        ? 'must not be empty'
        : `must ${extent(issue.origin, issue.inclusive === false ? `more than ${issue.minimum}` : `at least ${issue.minimum}`)}`;
    case 'unrecognized_keys':
      return `must not have ${issue.keys.map((key) => `"${key.slice(0, 40)}"`).join(', ')}`;
    case 'custom':
      return `is ${issue.message}`;
    case 'invalid_union':
      return 'has none of the allowed forms';
    default:
      return 'is not what was expected there';
  }
}

function kind(expected: string): string {
  const words: Record<string, string> = {
    int: 'a whole number',
    number: 'a number',
    string: 'a text',
    boolean: 'true or false',
    array: 'a list',
    object: 'an object',
    record: 'an object',
    null: 'null',
  };
  return words[expected] ?? expected;
}

function extent(origin: string, bound: string): string {
  if (origin === 'string') return `be ${bound} characters long`;
  if (origin === 'array' || origin === 'set') return `have ${bound} entries`;
  return `be ${bound}`;
}
