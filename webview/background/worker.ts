import { perform, type Task } from './tasks.js';

interface Scope {
  onmessage: ((event: { readonly data: { readonly id: number; readonly task: Task } }) => void) | null;
  postMessage(message: unknown): void;
}

const scope = globalThis as unknown as Scope;

scope.onmessage = ({ data: { id, task } }) => {
  try {
    scope.postMessage({ id, result: perform(task) });
  } catch (error) {
    scope.postMessage({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
};
