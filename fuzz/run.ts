import path from 'node:path';
import { buildSync } from 'esbuild';
import type { Outcome } from './case.js';
import { EngineRunner } from './engineRunner.js';
import { Random } from './random.js';
import { ReaderRunner } from './readerRunner.js';
import { filesIn } from './spoil/files.js';
import type { Target } from './targets/target.js';
import { Workspace } from './workspace.js';

export interface Case extends Outcome {
  readonly index: number;
  /** What was done to the files. */
  readonly how: string;
}

export interface Plan {
  readonly target: Target;
  readonly seed: number;
  /** Numbers of the cases. */
  readonly cases: Iterable<number>;
  /** The repository. */
  readonly root: string;
}

const texts = [
  'the model 🦢',
  'a',
  ' ',
  'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!',
  'def f(x):\n\treturn x\r\n',
  'e\u0301 \u212b ﬁ \u200d',
  '\ud800',
  '<|endoftext|>',
  '1234567890'.repeat(8),
  '日本語',
];

/** Each case as it ends. */
export async function* run({ target, seed, cases, root }: Plan): AsyncGenerator<Case> {
  const entry = built(root, target.runner);
  const from = target.begins === 'pool' ? 'test/fixtures/tiny-pool' : 'test/fixtures/golden/tiny';
  const wanted = target.begins === 'pool' ? (name: string) => !name.startsWith('retriever') : plainTrace;
  const workspace = new Workspace(
    path.join(root, from),
    [path.dirname(entry), path.join(root, 'node_modules')],
    wanted,
  );
  const runner = target.runner === 'engine' ? new EngineRunner(workspace, entry) : new ReaderRunner(workspace, entry);
  try {
    for (const index of cases) {
      const random = new Random(seed, index);
      workspace.restore();
      const how = target.spoil(workspace.folder, random);
      const outcome =
        runner instanceof EngineRunner
          ? await runner.run(random.pick(texts))
          : await runner.run(
              target.begins === 'traces' ? filesIn(workspace.folder, '.safetensors').slice(0, 3) : undefined,
            );
      if (outcome.ended) workspace.tidy();
      yield { index, how, ...outcome };
    }
  } finally {
    runner.close();
    workspace.remove();
  }
}

/** Three of the recorded traces are enough to be spoilt. */
function plainTrace(name: string): boolean {
  return ['phatgoose-k2.safetensors', 'merged.safetensors', 'single-Zeta.safetensors'].includes(name);
}

/** The child's script, bundled from the sources as they are. */
function built(root: string, runner: Target['runner']): string {
  const outfile = path.join(root, `node_modules/.cache/gander-fuzz/${runner}-${process.pid}.cjs`);
  buildSync({
    entryPoints: [path.join(root, `fuzz/children/${runner}.ts`)],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['onnxruntime-node', 'tokenizers'],
    outfile,
    logLevel: 'error',
  });
  return outfile;
}
