import { Answerer } from '../../src/channel/answerer.js';
import type { Asking } from '../../src/channel/messages.js';
import { perform, type TaskCalls } from './tasks.js';

interface Scope {
  onmessage: ((event: { readonly data: Asking }) => void) | null;
  postMessage(message: unknown): void;
}

const scope = globalThis as unknown as Scope;

const answerer = new Answerer<TaskCalls>(
  (_, task) => perform(task),
  (message) => {
    scope.postMessage(message);
  },
);

scope.onmessage = ({ data }) => {
  answerer.take(data);
};
