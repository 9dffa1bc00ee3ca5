// onnxruntime's sessions while a benchmark watches them: how long their runs take, and how long each operator in them.
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { InferenceSession } from 'onnxruntime-node';

/** What sessions that were opened since have spent. */
export class Watched {
  runs = 0;
  /** In runs, milliseconds. */
  spent = 0;
  readonly #create = InferenceSession.create.bind(InferenceSession);

  /** @param folder where sessions that are opened write their profiles when they are released; none without it */
  constructor(private readonly folder?: string) {
    if (folder !== undefined) mkdirSync(folder);
    const opened = async (model: string | Uint8Array, options: InferenceSession.SessionOptions) => {
      // A model in bytes is Gander's question to the processor.
      if (typeof model !== 'string') return this.#create(model, options);
      const session = await this.#create(model, { ...options, ...this.#profiling() });
      const run = session.run.bind(session) as (...of: unknown[]) => ReturnType<typeof session.run>;
      session.run = async (...of: unknown[]) => {
        const start = performance.now();
        const outputs = await run(...of);
        this.spent += performance.now() - start;
        this.runs++;
        return outputs;
      };
      return session;
    };
    InferenceSession.create = opened as typeof InferenceSession.create;
  }

  /** Sessions that are opened from now on are not watched. */
  end(): void {
    InferenceSession.create = this.#create;
  }

  #profiling(): InferenceSession.SessionOptions {
    if (this.folder === undefined) return {};
    return { enableProfiling: true, profileFilePrefix: path.join(this.folder, 'profile') };
  }

  /** Of the one session that was opened and released. @param from, to its runs, counted from 0 */
  operators(from: number, to: number): Profile {
    const [file] = readdirSync(this.folder!);
    return profileOf(JSON.parse(readFileSync(path.join(this.folder!, file!), 'utf8')) as Event[], from, to);
  }
}

interface Event {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly ts: number;
  readonly dur: number;
  readonly args?: { readonly op_name?: string };
}

/** Of one run, on average. */
export interface Profile {
  /** Milliseconds, with the profiler's own work. */
  readonly run: number;
  /** The longest first. */
  readonly operators: readonly { readonly name: string; readonly count: number; readonly ms: number }[];
}

function profileOf(events: readonly Event[], from: number, to: number): Profile {
  const runs = events
    .filter(({ name }) => name === 'model_run')
    .sort((a, b) => a.ts - b.ts)
    .slice(from, to);
  const [begin, end] = [runs[0]!.ts, runs.at(-1)!.ts + runs.at(-1)!.dur];
  const sums = new Map<string, { count: number; ms: number }>();
  const add = (operator: string, count: number, us: number) => {
    const sum = sums.get(operator) ?? { count: 0, ms: 0 };
    sums.set(operator, { count: sum.count + count / runs.length, ms: sum.ms + us / 1000 / runs.length });
  };
  const inRuns = events
    .filter(({ cat, name, ts }) => cat === 'Node' && name.endsWith('_kernel_time') && ts >= begin && ts <= end)
    .sort((a, b) => a.ts - b.ts || b.dur - a.dur);
  const open: Event[] = [];
  for (const event of inRuns) {
    while (open.length > 0 && open.at(-1)!.ts + open.at(-1)!.dur <= event.ts) open.pop();
    // What If and Loop contain is counted by itself.
    const around = open.at(-1)?.args?.op_name;
    if (around !== undefined) add(around, 0, -event.dur);
    add(event.args!.op_name!, 1, event.dur);
    open.push(event);
  }
  return {
    run: runs.reduce((sum, { dur }) => sum + dur, 0) / 1000 / runs.length,
    operators: [...sums].map(([name, sum]) => ({ name, ...sum })).sort((a, b) => b.ms - a.ms),
  };
}
