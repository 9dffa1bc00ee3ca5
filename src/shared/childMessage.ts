import type { TraceHead, TracePiece } from '../trace/pieces.js';
import { errorCodes } from './errors.js';
import type { ChildMessage, LastWords } from './protocol.js';

/**
 * A message from the engine's child, or undefined where it is none. By hand: the client is loaded when the editor starts,
 * and the validator takes longer to load than all the rest.
 */
export function readChildMessage(value: unknown): ChildMessage | undefined {
  return isObject(value) && isChildMessage(value) ? value : undefined;
}

/** @param text of what a child wrote before its end */
export function readLastWords(text: string): LastWords | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) && value['type'] === 'memory' && isNumber(value['allowed'])
      ? (value as unknown as LastWords)
      : undefined;
  } catch {
    return undefined;
  }
}

type Fields = Readonly<Record<string, unknown>>;

function isChildMessage(value: Fields): value is Fields & ChildMessage {
  if (value['type'] === 'ready') return true;
  if (!isCount(value['id'])) return false;
  switch (value['type']) {
    case 'progress':
      return isCount(value['done']) && isCount(value['total']);
    case 'piece':
      return isPiece(value['piece']);
    case 'partial':
    case 'trace':
      return isHead(value['head']);
    case 'result':
      return isObject(value['result']);
    case 'error':
      return isErrorData(value['error']);
    default:
      return false;
  }
}

function isPiece(value: unknown): value is TracePiece {
  if (!isObject(value) || !isObject(value['columns'])) return false;
  const { modules, total, from, count, columns } = value;
  return (
    [modules, total, from, count].every(isCount) &&
    (from as number) + (count as number) <= (total as number) &&
    Object.values(columns).every((column) => ArrayBuffer.isView(column) || Array.isArray(column))
  );
}

function isHead(value: unknown): value is TraceHead {
  if (!isObject(value) || !isObject(value['tokens'])) return false;
  return (
    typeof value['text'] === 'string' &&
    [value['done'], value['k'], value['predictions']].every(isCount) &&
    value['tokens']['ids'] instanceof Int32Array &&
    [value['modules'], value['experts'], value['interventions']].every(Array.isArray) &&
    isObject(value['strategy'])
  );
}

function isErrorData(value: unknown): boolean {
  return (
    isObject(value) &&
    (errorCodes as readonly unknown[]).includes(value['code']) &&
    typeof value['message'] === 'string' &&
    typeof value['remedy'] === 'string'
  );
}

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
const isNumber = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
