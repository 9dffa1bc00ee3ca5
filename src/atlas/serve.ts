/** Answers the host that forked this process. */
import { Answerer } from '../channel/answerer.js';
import type { Asking, OptionsOf } from '../channel/messages.js';
import type { MakingCalls, ReadingCalls } from './calls.js';
import { readDocument } from './files/document.js';
import { saveName } from './files/names.js';
import { openAtlas, placeOf, rowsOfToken, rowsWhere } from './files/reading.js';
import { fieldsOf, look, make } from './making.js';

export function answerHost(message: Asking): void {
  answerer.take(message);
}

type Calls = ReadingCalls & MakingCalls;

type Answers = {
  readonly [N in keyof Calls]: (
    request: Calls[N]['request'],
    options: OptionsOf<Calls[N]>,
  ) => Promise<Calls[N]['result']>;
};

const answers: Answers = {
  open: ({ folder }) => openAtlas(folder),
  rows: ({ folder, table, where }) => rowsWhere(folder, table, where),
  find: ({ folder, token }) => rowsOfToken(folder, token),
  name: ({ folder, name }) => saveName(folder, name),
  place: ({ folder, document }) => placeOf(folder, document),
  document: readDocument,
  fields: fieldsOf,
  look,
  make,
};

const answerer = new Answerer<Calls>(
  (name, request, options) => answers[name](request, options),
  (message) => process.connected && process.send!(message),
);
