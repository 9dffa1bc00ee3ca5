/** An answer in frames: uint32 kind, uint32 length, both little-endian, then that many bytes. */
import { serverLimits } from '../checks/limits.js';
import type { Faults } from './faults.js';

export const framesType = 'application/x-gander-frames';

export const frameKinds = { progress: 1, partial: 2, final: 3, error: 4, json: 5 } as const;

export interface Frame {
  readonly kind: number;
  readonly body: Uint8Array;
}

const headBytes = 8;

/**
 * @param most bytes of a frame with a result
 * @throws GanderError `server-invalid` if a frame is too long, `server-unreachable` if the last one is cut off
 */
export async function* framesOf(body: AsyncIterable<Uint8Array>, most: number, faults: Faults): AsyncGenerator<Frame> {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  let head: { readonly kind: number; readonly length: number } | undefined;
  const take = (count: number): Buffer => {
    const [first] = parts;
    // A part may contain many small frames, so it must not be copied for each.
    const whole =
      parts.length === 1 ? Buffer.from(first!.buffer, first!.byteOffset, first!.length) : Buffer.concat(parts);
    parts = [whole.subarray(count)];
    bytes -= count;
    return whole.subarray(0, count);
  };
  for await (const part of body) {
    parts.push(part);
    bytes += part.byteLength;
    for (;;) {
      if (!head && bytes >= headBytes) {
        const read = take(headBytes);
        head = { kind: read.readUInt32LE(0), length: read.readUInt32LE(4) };
        const limit = isResult(head.kind) ? most : serverLimits.failure;
        if (head.length > limit) throw faults.large(limit);
      }
      if (!head || bytes < head.length) break;
      yield { kind: head.kind, body: take(head.length) };
      head = undefined;
    }
  }
  if (head ?? bytes > 0) throw faults.half();
}

function isResult(kind: number): boolean {
  return kind === frameKinds.partial || kind === frameKinds.final || kind === frameKinds.json;
}
