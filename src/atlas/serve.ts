/** Answers the host that forked this process. */
import { type Answer, Answerer } from '../channel/answerer.js';
import type { Asking } from '../channel/messages.js';
import type { ReadingCalls } from './calls.js';
import { readDocument } from './files/document.js';
import { saveName } from './files/names.js';
import { openAtlas, placeOf, rowsOfToken, rowsWhere } from './files/reading.js';

export function answerHost(message: Asking): void {
  answerer.take(message);
}

type Answers = {
  readonly [N in keyof ReadingCalls]: (request: ReadingCalls[N]['request']) => Promise<ReadingCalls[N]['result']>;
};

const answers: Answers = {
  open: ({ folder }) => openAtlas(folder),
  rows: ({ folder, table, where }) => rowsWhere(folder, table, where),
  find: ({ folder, token }) => rowsOfToken(folder, token),
  name: ({ folder, name }) => saveName(folder, name),
  place: ({ folder, document }) => placeOf(folder, document),
  document: (request) => readDocument(request),
};

const answer: Answer<ReadingCalls> = (name, request) => answers[name](request);

const answerer = new Answerer<ReadingCalls>(answer, (message) => process.connected && process.send!(message));
