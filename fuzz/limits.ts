/** The bounds of every case. */

/** Milliseconds for an answer: of a reader's processor time, since the machine may be busy; of an engine on the clock, since its deadline ends it before. */
export const longest = 20_000;

/** Milliseconds until a child without an answer is taken to hang. */
export const patience = 6 * longest;

/** A child that is silent for this many milliseconds is ended, so that the answer comes in time. */
export const deadline = 15_000;

/** Bytes at which an engine's child ends itself (it checks ten times a second), and the most that any child may ever have used. */
export const allowed = 1.5 * 2 ** 30;
export const most = 3 * 2 ** 30;
