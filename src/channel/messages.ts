/**
 * What crosses a channel, be it to another process, to a worker or to the page: calls and what comes of them. Errors cross as data.
 * Checked by hand: this is loaded when the editor starts, and a validator takes longer to load than all the rest.
 */
import { type ErrorData, errorCodes } from '../errors/errors.js';
import { isCount, isObject } from '../checks/plain.js';

/** What a call asks and answers; `part`: what is told of the answer before the end. */
export interface Call {
  readonly request: unknown;
  readonly result: unknown;
  readonly part?: unknown;
}

export interface Options<Part = never> {
  readonly signal?: AbortSignal;
  /** How much is done, of how much. */
  readonly onProgress?: (done: number, total: number) => void;
  /** All that is known so far, or what is new. Who answers goes on when the promise that it returns is settled. */
  readonly onPartial?: (part: Part) => unknown;
}

export type OptionsOf<C extends Call> = Options<C extends { readonly part: infer Part } ? Part : never>;

/** To who answers. */
export type Asking =
  | {
      readonly type: 'call';
      readonly id: number;
      readonly name: string;
      readonly request: unknown;
      /** Whether parts are wanted. */
      readonly partial: boolean;
    }
  /** The call is then answered with `cancelled`, when whoever answers looks. */
  | { readonly type: 'cancel'; readonly id: number };

/** To who asked. */
export type Answering =
  | { readonly type: 'progress'; readonly id: number; readonly done: number; readonly total: number }
  /** Each once, before the `partial` or the `result` that is made of it. */
  | { readonly type: 'piece'; readonly id: number; readonly piece: unknown }
  | { readonly type: 'partial'; readonly id: number; readonly part: unknown }
  | { readonly type: 'result'; readonly id: number; readonly result: unknown }
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
      return 'result' in rest;
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
