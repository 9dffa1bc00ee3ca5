/**
 * Checks that what another process sent is a piece or the head of a trace. By hand: the client is loaded when the editor
 * starts, and a validator takes longer to load than all the rest.
 */
import { isCount, isObject } from '../checks/plain.js';
import type { TraceHead, TracePiece } from './pieces.js';

export function isTracePiece(value: unknown): value is TracePiece {
  if (!isObject(value)) return false;
  switch (value['part']) {
    case 'frame':
      return isFrame(value['frame']);
    case 'tokens':
      return isTokensPiece(value);
    case 'cells':
      return isCellsPiece(value);
    default:
      return false;
  }
}

export function isTraceHead(value: unknown): value is TraceHead {
  return isObject(value) && isListOf(value['done'], isCount);
}

function isFrame(value: unknown): boolean {
  return (
    isObject(value) &&
    isObject(value['source']) &&
    isObject(value['router']) &&
    [value['interventions'], value['expertSets'], value['modules']].every(Array.isArray) &&
    isListOf(value['sequences'], (sequence) => isObject(sequence) && isCount(sequence['predictions'])) &&
    isListOf(value['blocks'], isBlock)
  );
}

function isBlock(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { from, to, sequence, experts, k, sharedExperts } = value;
  return [from, to, sequence, experts, k, sharedExperts].every(isCount) && (from as number) <= (to as number);
}

function isTokensPiece({ sequence, kept, tokens, text }: Readonly<Record<string, unknown>>): boolean {
  if (!isCount(sequence) || !isCount(kept) || !isObject(tokens) || !isCount(tokens['count'])) return false;
  const more = (tokens['count'] as number) - (kept as number);
  const { ids, start, end, special, text: spelled } = tokens;
  return (
    [ids, start, end, special, spelled].every((part) => part === undefined || isArrayOf(part, more)) &&
    (text === undefined || (isObject(text) && isCount(text['kept']) && typeof text['more'] === 'string'))
  );
}

function isCellsPiece({ sent, sequence, from, count, columns, blocks }: Readonly<Record<string, unknown>>): boolean {
  return (
    (sent === 'first' || sent === 'deferred') &&
    [sequence, from, count].every(isCount) &&
    isColumns(columns) &&
    isListOf(blocks, (one) => isObject(one) && isCount(one['block']) && isColumns(one['columns']))
  );
}

const isColumns = (value: unknown): boolean =>
  isObject(value) && Object.values(value).every((column) => ArrayBuffer.isView(column) || Array.isArray(column));

const isListOf = (value: unknown, is: (item: unknown) => boolean): boolean => Array.isArray(value) && value.every(is);

const isArrayOf = (value: unknown, length: number): boolean =>
  (ArrayBuffer.isView(value) || Array.isArray(value)) && (value as unknown as ArrayLike<unknown>).length === length;
