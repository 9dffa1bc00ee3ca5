// Runs jobs that keep one core busy two at a time, and those that keep both busy alone.

/**
 * @typedef {object} Job
 * @property {string} name
 * @property {1 | 2} cores
 * @property {string} [after] the name of a job that must have ended first, if it is among the jobs
 */

/**
 * Starts each job as soon as there are cores for it, in the given order as far as possible.
 * @template {Job} J @param {readonly J[]} jobs @param {(job: J, alone: boolean) => Promise<void>} start
 *   alone: nothing else runs or will be started until it has ended
 */
export async function inLanes(jobs, start) {
  const left = [...jobs];
  /** @type {Map<J, Promise<void>>} */
  const running = new Map();
  const waits = (/** @type {J} */ { after }) =>
    [...left, ...running.keys()].some(({ name }) => after !== undefined && name === after);
  while (left.length || running.size) {
    const busy = [...running.keys()].reduce((sum, { cores }) => sum + cores, 0);
    const next = left.find((job) => job.cores + busy <= 2 && !waits(job));
    if (!next) {
      await Promise.race(running.values());
      continue;
    }
    const beside = left.some((job) => job !== next && job.cores === 1 && !waits(job));
    const alone = next.cores === 2 || (running.size === 0 && !beside);
    left.splice(left.indexOf(next), 1);
    const done = start(next, alone).finally(() => running.delete(next));
    running.set(next, done);
  }
}
