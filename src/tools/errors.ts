/** What an agent is told when a call fails: what happened, and what to do next. */
import { type ErrorCode, GanderError } from '../errors/errors.js';

/** In place of remedies that a person would follow in an editor. */
const next: Readonly<Partial<Record<ErrorCode, string>>> = {
  'text-empty': 'Give a text with at least one word.',
  'text-too-long': 'Route a part: a shorter text, or first_line and last_line of a file.',
  'strategy-unavailable': 'Choose one of the strategies that list_models names for this model.',
  'pool-missing': 'Tell the user that its folder is missing, or use another model of list_models.',
  'model-missing': 'Tell the user that its files are missing, or use another model of list_models.',
  'server-unreachable': 'Tell the user that the server does not answer, or use another model of list_models.',
  'server-busy': 'Call again in a minute.',
  cancelled: 'Call again if the answer is still wanted.',
};

/** @throws never */
export function failure(thrown: unknown): string {
  const error = GanderError.from(thrown);
  return `${error.message} ${next[error.code] ?? error.remedy}`;
}
