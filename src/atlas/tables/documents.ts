import { halfOf } from '../figures/choices.js';
import type { Table } from './table.js';

export const documents = {
  name: 'documents',
  columns: {
    document: 'text',
    label: 'text',
    place: 'text',
    hash: 'text',
    half: 'count',
    parts: 'count',
    tokens: 'count',
    bytes: 'count',
    bitsPerByte: 'number',
  },
  rows: ({ figures }) =>
    figures.documents.rows.map(({ id, label, place, hash, parts, tokens, bytes, bits }) => ({
      document: id,
      label,
      place,
      hash,
      half: halfOf(hash),
      parts,
      tokens,
      bytes,
      bitsPerByte: bytes > 0 ? bits / bytes : NaN,
    })),
} as const satisfies Table;
