import type { Attribution } from '../requests/api.js';
import { isTraceHead, isTracePiece } from './checks.js';
import { errorCodes, type ErrorData } from '../errors/errors.js';
import { isCount, isNumber, isObject } from '../checks/plain.js';
import type { ChildMessage, LastWords } from '../protocol/engine.js';

/**
 * A message from the engine's child, or undefined if it is not one. By hand: the client is loaded when the editor starts,
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
  if (value['type'] === 'loading') return isCount(value['mayTake']);
  if (!isCount(value['id'])) return false;
  switch (value['type']) {
    case 'progress':
      return isCount(value['done']) && isCount(value['total']);
    case 'piece':
      return isTracePiece(value['piece']);
    case 'partial':
    case 'trace':
      return isTraceHead(value['head']);
    case 'attributed':
      return isAttribution(value['part']);
    case 'result':
      return isObject(value['result']);
    case 'error':
      return isErrorData(value['error']);
    default:
      return false;
  }
}

function isAttribution(value: unknown): value is Attribution {
  if (!isObject(value)) return false;
  const { experts, logProb, change, of } = value;
  return (
    Array.isArray(experts) &&
    experts.every((one) => isObject(one) && typeof one['id'] === 'string' && typeof one['name'] === 'string') &&
    logProb instanceof Float32Array &&
    change instanceof Float32Array &&
    change.length === logProb.length * experts.length &&
    isCount(of)
  );
}

export function isErrorData(value: unknown): value is ErrorData {
  return (
    isObject(value) &&
    (errorCodes as readonly unknown[]).includes(value['code']) &&
    typeof value['message'] === 'string' &&
    typeof value['remedy'] === 'string'
  );
}
