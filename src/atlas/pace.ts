/** How far a run over a corpus has come. */
export interface Done {
  readonly document: string;
  readonly bytes: number;
  readonly tokens: number;
  /** Whether an earlier run, which this one continues, did it. */
  readonly before: boolean;
}

export interface Pace {
  readonly documents: number;
  readonly tokens: number;
  readonly tokensPerSecond: number;
  /** The part that is done, from 0 to 1, and how long the rest will take, by bytes; undefined if either is not known. */
  readonly share: number | undefined;
  readonly leftMs: number | undefined;
}

/** @param bytes of all documents; 0 if not known. @returns what to tell of each document that is done */
export function paceOver(bytes: number, now: () => number = () => performance.now()): (done: Done) => Pace {
  const started = now();
  let [documents, all, run, tokens] = [0, 0, 0, 0];
  return (done) => {
    documents++;
    all += done.bytes;
    tokens += done.tokens;
    if (!done.before) run += done.bytes;
    const ms = now() - started;
    return {
      documents,
      tokens,
      tokensPerSecond: ms > 0 ? Math.round((1000 * tokens) / ms) : 0,
      share: bytes > 0 ? Math.min(1, all / bytes) : undefined,
      leftMs: bytes > 0 && run > 0 ? (ms / run) * Math.max(0, bytes - all) : undefined,
    };
  };
}
