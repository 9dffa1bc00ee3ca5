import { EngineClient } from '../src/engine/client.js';
import { GanderError } from '../src/errors/errors.js';
import type { Trace } from '../src/trace/model/trace.js';
import { type Outcome, problemsOf } from './case.js';
import { allowed, deadline } from './limits.js';
import { heldOutside, outsideMark, peakOf, rootsVariable } from './opened.js';
import type { Workspace } from './workspace.js';

const strategy = { name: 'phatgoose', k: 2 } as const;

/** Routes a text with the workspace's pool, in a guarded child that serves as many cases as it survives. */
export class EngineRunner {
  #client: EngineClient | undefined;
  readonly #outside: string[] = [];

  constructor(
    private readonly workspace: Workspace,
    private readonly entry: string,
  ) {}

  async run(text: string): Promise<Outcome> {
    const { roots, folder, cache } = this.workspace;
    process.env[rootsVariable] = JSON.stringify(roots);
    this.#outside.length = 0;
    this.#client ??= new EngineClient({
      entry: this.entry,
      pool: folder,
      cache,
      threads: 1,
      chunk: 64,
      memory: allowed,
      deadlineMs: deadline,
      log: (line) => {
        if (line.startsWith(outsideMark)) this.#outside.push(line);
      },
    });
    const client = this.#client;
    const start = performance.now();
    let peak = 0;
    const sampling = setInterval(() => (peak = Math.max(peak, client.pid === undefined ? 0 : peakOf(client.pid))), 50);
    const answer = await client.route({ text, strategy }).then(
      (trace) => ({ trace }),
      (thrown: unknown) => ({ thrown }),
    );
    clearInterval(sampling);
    const milliseconds = performance.now() - start;
    const { pid } = client;
    if (pid !== undefined) peak = Math.max(peak, peakOf(pid));
    const held = pid === undefined ? [] : heldOutside(pid, roots).map((file) => `holds open ${file}`);
    const ended = pid === undefined;
    if (ended) this.close();
    const error = 'thrown' in answer ? answer.thrown : undefined;
    return {
      outcome: error instanceof GanderError ? error.code : error === undefined ? 'answered' : 'untyped',
      message: error instanceof Error ? error.message : '',
      milliseconds,
      peak,
      ended,
      problems: [
        ...problemsOf(error as GanderError | undefined, milliseconds, peak),
        ...('trace' in answer ? wrongNumbers(answer.trace) : []),
        ...this.#outside,
        ...held,
      ],
    };
  }

  close(): void {
    this.#client?.dispose();
    this.#client = undefined;
  }
}

/** Reports numbers that no run can return. */
function wrongNumbers({ sequences, blocks }: Trace): string[] {
  const finite = (name: string, numbers: Float32Array | undefined) =>
    numbers?.every(Number.isFinite) === false ? [`${name} has a number that is not finite`] : [];
  return [
    ...sequences.flatMap(({ logProb }) => finite('log_prob', logProb?.subarray(1))),
    ...blocks.flatMap(({ weight, score }) => [
      ...finite('weight', weight),
      ...finite(
        'score',
        score?.map((x) => (Number.isNaN(x) ? 0 : x)),
      ),
    ]),
  ];
}
