/** What is held to in every case. */
import { poolLimits } from '../src/shared/limits.js';

/** Milliseconds for an answer. */
export const longest = 20_000;

/** Bytes a second at least at which a pool's files are hashed before anything is known of them. */
const hashed = 100e6;

/** Milliseconds for an answer about a pool of so many bytes. What is beyond the limit is refused unread. */
export function longestFor(bytes: number): number {
  return longest + (bytes > poolLimits.bytes ? 0 : (1000 * bytes) / hashed);
}

/** A child that says nothing for so long is ended, so that the answer comes in time. Milliseconds. */
export const deadline = 15_000;

/** Bytes that an engine's child may take before it ends itself, and that any child ever held; it is looked at ten times a second. */
export const allowed = 1.5 * 2 ** 30;
export const most = 3 * 2 ** 30;
