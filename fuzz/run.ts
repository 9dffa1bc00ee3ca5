import path from 'node:path';
import { buildSync } from 'esbuild';
import type { Outcome } from './case.js';
import { EngineRunner } from './engineRunner.js';
import { Random } from './random.js';
import { ReaderRunner } from './readerRunner.js';
import type { Work } from './reading.js';
import { filesIn } from './spoil/files.js';
import type { Beginning, Target } from './targets/target.js';
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
  const { from, wanted, read } = beginnings[target.begins];
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
          : await runner.run(read(filesIn(workspace.folder)));
      if (outcome.ended) workspace.tidy();
      yield { index, how, ...outcome };
    }
  } finally {
    runner.close();
    workspace.remove();
  }
}

/** What a case begins with, and what of it a reader's child is to read. */
const beginnings: Readonly<Record<Beginning, Begun>> = {
  pool: { from: 'test/fixtures/tiny-pool', wanted: (name) => !name.startsWith('retriever'), read: () => ({}) },
  traces: { from: 'test/fixtures/golden/tiny', wanted: plainTrace, read: (files) => ({ traces: files.slice(0, 3) }) },
  imports: { from: 'test/fixtures/imports', wanted: written, read: (files) => ({ imports: files }) },
};

interface Begun {
  readonly from: string;
  readonly wanted: (name: string) => boolean;
  readonly read: (files: readonly string[]) => Omit<Work, 'folder'>;
}

/** Not what is said of them. */
function written(name: string): boolean {
  return !/\.(md|py|txt|json|gander\.safetensors)$/.test(name);
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
