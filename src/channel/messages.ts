/**
 * The messages of a channel to another process, a worker or the page: calls and their answers. Errors are sent as data.
 * Checked by hand: this is loaded when the editor starts, and a validator takes longer to load than all the rest.
 */
import { type ErrorData, errorCodes } from '../errors/errors.js';
import { isCount, isObject } from '../checks/plain.js';

/** A call's request and result; `part`: what is sent of the result before it is complete. */
export interface Call {
  readonly request: unknown;
  readonly result: unknown;
  readonly part?: unknown;
}

export interface Options<Part = never> {
  readonly signal?: AbortSignal;
  /** How much is done, out of how much. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Gets all that is known so far, or what is new. Whoever answers goes on once the returned promise is settled. */
  readonly onPartial?: (part: Part) => unknown;
}

export type OptionsOf<C extends Call> = Options<C extends { readonly part: infer Part } ? Part : never>;

/** Sent to the answering end. */
export type Asking =
  | {
      readonly type: 'call';
      readonly id: number;
      readonly name: string;
      readonly request: unknown;
      /** Whether parts are wanted. */
      readonly partial: boolean;
    }
  /** The call is then answered with `cancelled`, as soon as whoever answers notices. */
  | { readonly type: 'cancel'; readonly id: number };

/** Sent to the asking end. */
export type Answering =
  | { readonly type: 'progress'; readonly id: number; readonly done: number; readonly total: number }
  /** Each is sent once, before the `partial` or `result` that is made of it. */
  | { readonly type: 'piece'; readonly id: number; readonly piece: unknown }
  | { readonly type: 'partial'; readonly id: number; readonly part: unknown }
  /** Absent: nothing. JSON, in which VS Code sends messages to a page, has no undefined. */
  | { readonly type: 'result'; readonly id: number; readonly result?: unknown }
  | { readonly type: 'error'; readonly id: number; readonly error: ErrorData };

type Fields = Readonly<Record<string, unknown>>;

export function isAsking(value: unknown): value is Asking {
  if (!isObject(value) || !isCount(value['id'])) return false;
  const { type, name, partial } = value;
  return type === 'cancel' || (type === 'call' && typeof name === 'string' && typeof partial === 'boolean');
}

export function isAnswering(value: unknown): value is Answering {
  return isObject(value) && isCount(value['id']) && isOfType(value);
}

function isOfType({ type, done, total, piece, error, ...rest }: Fields): boolean {
  switch (type) {
    case 'progress':
      return isCount(done) && isCount(total);
    case 'piece':
      return isObject(piece);
    case 'partial':
      return 'part' in rest;
    case 'result':
      return true;
    case 'error':
      return isErrorData(error);
    default:
      return false;
  }
}

function isErrorData(value: unknown): value is ErrorData {
  return (
    isObject(value) &&
    (errorCodes as readonly unknown[]).includes(value['code']) &&
    typeof value['message'] === 'string' &&
    typeof value['remedy'] === 'string'
  );
}
