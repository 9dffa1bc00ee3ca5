/** What is held to in every case. */

/** Milliseconds for an answer. */
export const longest = 20_000;

/** A child that says nothing for so long is ended, so that the answer comes in time. Milliseconds. */
export const deadline = 15_000;

/** Bytes that an engine's child may take before it ends itself, and that any child ever held; it is looked at ten times a second. */
export const allowed = 1.5 * 2 ** 30;
export const most = 3 * 2 ** 30;
