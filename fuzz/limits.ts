/** The bounds of every case. */

/** Milliseconds for an answer. */
export const longest = 20_000;

/** A child that is silent for this many milliseconds is ended, so that the answer comes in time. */
export const deadline = 15_000;

/** Bytes at which an engine's child ends itself (it checks ten times a second), and the most that any child may ever have used. */
export const allowed = 1.5 * 2 ** 30;
export const most = 3 * 2 ** 30;
