import path from 'node:path';
import { buildSync } from 'esbuild';
import type { Outcome } from './case.js';
import { EngineRunner } from './engineRunner.js';
import { Random } from './random.js';
import { ReaderRunner } from './readerRunner.js';
import type { Job } from './reading.js';
import { ServerRunner } from './serverRunner.js';
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

/** Runs cases and yields each as it ends. */
export async function* run({ target, seed, cases, root }: Plan): AsyncGenerator<Case> {
  const entry = built(root, target.runner === 'engine' ? 'engine' : 'reader');
  const { from, wanted } = beginnings[target.begins];
  const workspace = new Workspace(
    path.join(root, from),
    [path.dirname(entry), path.join(root, 'node_modules')],
    wanted,
  );
  const runner = runnerOf(target, workspace, entry);
  try {
    for (const index of cases) {
      workspace.restore();
      const done = await runner.run(new Random(seed, index));
      if (done.ended) workspace.tidy();
      yield { index, ...done };
    }
  } finally {
    runner.close();
    workspace.remove();
  }
}

interface Runner {
  run(random: Random): Promise<Omit<Case, 'index'>>;
  close(): void;
}

function runnerOf(target: Target, workspace: Workspace, entry: string): Runner {
  if (target.runner === 'server') return new ServerRunner(target, workspace, new ReaderRunner(workspace, entry));
  const { spoil } = target;
  if (target.runner === 'engine') {
    const engine = new EngineRunner(workspace, entry);
    return {
      run: async (random) => {
        const how = spoil(workspace.folder, random);
        return { how, ...(await engine.run(random.pick(texts))) };
      },
      close: () => engine.close(),
    };
  }
  const reader = new ReaderRunner(workspace, entry);
  const { read } = beginnings[target.begins];
  return {
    run: async (random) => {
      const how = spoil(workspace.folder, random);
      return { how, ...(await reader.run(read(filesIn(workspace.folder)))) };
    },
    close: () => reader.close(),
  };
}

/** The files that a case begins with, and which of them a reader reads. */
const beginnings: Readonly<Record<Beginning, Begun>> = {
  pool: { from: 'test/fixtures/tiny-pool', wanted: (name) => !name.startsWith('retriever'), read: () => ({}) },
  t5: { from: 'test/fixtures/tiny-t5', wanted: () => true, read: () => ({}) },
  traces: { from: 'test/fixtures/golden/tiny', wanted: plainTrace, read: (files) => ({ traces: files.slice(0, 3) }) },
  imports: { from: 'test/fixtures/imports', wanted: written, read: (files) => ({ imports: files }) },
  atlas: { from: 'test/fixtures/atlas/typescript.gander-atlas', wanted: () => true, read: () => ({ isAtlas: true }) },
  packed: { from: 'test/fixtures/packed', wanted: () => true, read: ([file]) => ({ packed: file! }) },
  servers: { from: 'test/fixtures', wanted: answered, read: () => ({}) },
};

interface Begun {
  readonly from: string;
  readonly wanted: (name: string) => boolean;
  readonly read: (files: readonly string[]) => Omit<Job, 'folder'>;
}

/** Files of other programs, without the descriptions beside them. */
function written(name: string): boolean {
  return !/\.(md|py|txt|json|gander\.safetensors)$/.test(name);
}

/** Traces that gander-serve answers with. */
function answered(name: string): boolean {
  const file = name.split(path.sep).join('/');
  return ['imports/typescript.gander.safetensors', 'golden/tiny-t5/phatgoose-k2.safetensors'].includes(file);
}

/** Three of the recorded traces are enough to corrupt. */
function plainTrace(name: string): boolean {
  return ['phatgoose-k2.safetensors', 'merged.safetensors', 'single-Zeta.safetensors'].includes(name);
}

/** Bundles the child's script from the current sources. */
function built(root: string, runner: 'engine' | 'reader'): string {
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
