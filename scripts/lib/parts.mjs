// The parts of the tests: what each runs, what it needs, and how many cores it keeps busy.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { root, run } from './main.mjs';
import { onProcessors } from './processors.mjs';
import { checked, installed, pytest } from './python.mjs';
import { shareOf } from './scope.mjs';

/** @typedef {import('./scope.mjs').RunName} RunName */
/** @typedef {import('./scope.mjs').Shard} Shard */
/** @typedef {{ passed: number, failed: readonly string[], skipped: number }} Count failed: the names of tests */

/**
 * @typedef {object} Work
 * @property {'quick' | 'whole'} much quick: without the tests that are tagged slow
 * @property {Shard} [shard]
 */

/**
 * @typedef {object} Part
 * @property {(work: Work) => Promise<Count>} test
 * @property {RunName} from the smallest run that includes it
 * @property {string} [quick] what the quick run includes of it, if it leaves out more than the slow tests
 * @property {1 | 2} cores that it keeps busy: parts that take one core run two at a time
 * @property {readonly ('dist' | 'vsix' | 'browser' | 'python')[]} needs what is prepared before the first part begins
 * @property {string} [after] a part that installs what this one uses
 */

export const artifacts = path.join(root, 'artifacts');
const bin = (/** @type {string} */ file) => path.join(root, 'node_modules', file);
const none = /** @type {Count} */ ({ passed: 0, failed: [], skipped: 0 });

/** @param {readonly Count[]} counts @returns {Count} */
export const sumOf = (counts) =>
  counts.reduce(
    (sum, { passed, failed, skipped }) => ({
      passed: sum.passed + passed,
      failed: [...sum.failed, ...failed],
      skipped: sum.skipped + skipped,
    }),
    none,
  );

/** What a command is called among those that failed. @param {readonly string[]} command */
const nameOf = ([script = '', ...args]) => [path.relative(root, script), ...args].join(' ');

/** Commands that pass or fail as a whole. @param {readonly string[][]} commands @returns {Promise<Count>} */
async function checks(commands) {
  const failed = [];
  for (const command of commands) if ((await run(process.execPath, command)).code !== 0) failed.push(nameOf(command));
  return { passed: commands.length - failed.length, failed, skipped: 0 };
}

/**
 * What vitest's JSON reporter writes.
 * @typedef {object} VitestResults
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {number} numTotalTests
 * @property {{ name: string, assertionResults: { status: string, fullName: string, failureMessages: string[] }[] }[]} testResults
 */

/** @param {string} project @param {Work} work @param {readonly string[]} [files] @returns {Promise<Count>} */
async function vitest(project, { much, shard }, files = []) {
  const json = path.join(artifacts, `${project.replace('-*', 's')}.json`);
  rmSync(json, { force: true });
  const { code } = await run(process.execPath, [
    ...[bin('vitest/vitest.mjs'), 'run', '--project', project, ...files],
    ...['--reporter=default', '--reporter=json', `--outputFile.json=${json}`],
    ...(much === 'quick' && files.length === 0 ? ['--tagsFilter=!slow'] : []),
    // A share may be empty.
    ...(shard ? [`--shard=${shard.index}/${shard.count}`, '--passWithNoTests'] : []),
  ]);
  if (!existsSync(json)) return code === 0 && shard ? none : { passed: 0, failed: ['no results'], skipped: 0 };
  /** @type {VitestResults} */
  const { numPassedTests, numFailedTests, numTotalTests, testResults } = JSON.parse(readFileSync(json, 'utf8'));
  const failed = testResults.flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter(({ status }) => status === 'failed')
      .map(({ fullName, failureMessages: [message = ''] }) =>
        [path.relative(root, name), fullName, message.split('\n')[0]].join(': '),
      ),
  );
  // Neither a file that does not load nor an error between tests counts as a failed test.
  if (code !== 0 && failed.length === 0)
    failed.push(numTotalTests === 0 ? 'no test ran' : 'a file that does not load, or an error between tests');
  return { passed: numPassedTests, failed, skipped: numTotalTests - numPassedTests - numFailedTests };
}

/** The suites in the extension host, on the oldest and the newest VS Code at once. @param {Work} work @returns {Promise<Count>} */
async function host({ shard }) {
  const { installVscodeWeb, newest, oldest } = await import('./vscode-web.mjs');
  const { runInHost } = await import('../../test/workbench/harness/host.mjs');
  const desktop = process.env['GANDER_VSCODE_DOWNLOAD'] === '1';
  const versions = [];
  for (const version of shareOf([oldest, newest], shard))
    versions.push(desktop ? { version: `${version}.0` } : { version, vscode: await installVscodeWeb(version) });
  const counts = versions.map(async (options) => {
    let told = '';
    const { ok, results } = await runInHost({
      ...options,
      suites: path.join(root, 'test/workbench/host'),
      folder: path.join(root, 'samples'),
      onOutput: (text) => (told += text),
    });
    // Each in one piece, so that the two do not mix.
    process.stdout.write(`VS Code ${options.version}\n${told}`);
    const titles = (/** @type {string} */ wanted) =>
      results.flatMap(({ state, title }) => (state === wanted ? [title] : []));
    const failed = titles('failed').map((title) => `VS Code ${options.version}: ${title}`);
    if (!ok && failed.length === 0) failed.push(`VS Code ${options.version}: ended with an error`);
    return { passed: titles('passed').length, failed, skipped: titles('skipped').length };
  });
  return sumOf(await Promise.all(counts));
}

const routing = 'python/gander-routing';
const serve = 'python/gander-serve';
const besideTorch = ['python/gander-trace', `${routing}[dev]`, `${serve}[dev]`];
/** The environment for everything that needs torch. */
const withTorch = () => installed('training', 'dev,export', ' (some minutes the first time: torch)', besideTorch);

/** Tests of a folder, by file. @param {string} folder @param {Shard} [shard] */
const pythonTests = (folder, shard) =>
  shareOf(
    readdirSync(path.join(root, folder, 'tests'))
      .filter((name) => /^test_.*\.py$/.test(name))
      .sort()
      .map((name) => `tests/${name}`),
    shard,
  );

/** @type {Readonly<Record<string, Part>>} */
export const parts = {
  lint: {
    test: ({ shard }) =>
      checks(
        shareOf(
          [
            [bin('eslint/bin/eslint.js'), '.'],
            [
              bin('dependency-cruiser/bin/dependency-cruise.mjs'),
              '--config',
              'scripts/lint/arrows.mjs',
              'src',
              'webview',
              'evaluate',
            ],
            ['scripts/lint/words.mjs'],
            [bin('prettier/bin/prettier.cjs'), '--check', '.'],
          ],
          shard,
        ),
      ),
    from: 'quick',
    cores: 1,
    needs: [],
  },
  types: {
    test: ({ shard }) =>
      checks(
        shareOf(
          ['.', 'test', 'bench', 'evaluate', 'fuzz', 'webview'].map((p) => [bin('typescript/bin/tsc'), '-p', p]),
          shard,
        ),
      ),
    from: 'quick',
    cores: 1,
    needs: [],
  },
  unit: { test: (work) => vitest('unit', work), from: 'quick', cores: 2, needs: [] },
  python: {
    test: async ({ shard }) => {
      const folder = 'python/gander-trace';
      return checked(await installed(folder, 'dev'), folder, pythonTests(folder, shard), shard);
    },
    from: 'quick',
    cores: 1,
    needs: ['python'],
  },
  ui: {
    test: (work) => vitest('ui', work, work.much === 'quick' ? ['test/workbench/ui/gander.test.ts'] : []),
    from: 'quick',
    quick: 'one walk through the workbench',
    cores: 1,
    needs: ['vsix', 'browser'],
  },
  engine: { test: (work) => vitest('engine', work), from: 'quick', cores: 2, needs: ['dist'] },
  webview: { test: (work) => vitest('webview', work), from: 'quick', cores: 2, needs: ['dist', 'browser'] },
  processors: {
    test: (work) => onProcessors(() => vitest('processor-*', work)),
    from: 'all',
    cores: 2,
    needs: [],
  },
  host: { test: host, from: 'all', cores: 2, needs: ['dist', 'browser'] },
  house: { test: (work) => vitest('house', work), from: 'all', cores: 1, needs: ['dist', 'vsix', 'browser'] },
  training: {
    test: async ({ shard }) => {
      const python = await withTorch();
      return sumOf([
        await checked(python, routing, pythonTests(routing, shard), shard),
        await pytest(python, 'training', pythonTests('training', shard)),
      ]);
    },
    from: 'everything',
    cores: 1,
    needs: ['python'],
  },
  // The two exporters need separate environments: optimum-onnx does not work with transformers 5. gander-routing and gander-serve run in either.
  exporter: {
    test: async ({ shard }) => {
      const files = shareOf(
        [
          { folder: 'training', file: 'tests/test_export_moe.py' },
          { folder: 'training', file: 'tests/test_adapted.py' },
          { folder: 'training', file: 'tests/test_sweep.py' },
          ...pythonTests(routing).map((file) => ({ folder: routing, file })),
          { folder: serve, file: 'tests/test_moe.py' },
          { folder: serve, file: 'tests/test_adapter.py' },
          { folder: serve, file: 'tests/test_t5.py' },
          { folder: serve, file: 'tests/test_xlora.py' },
        ],
        shard,
      );
      if (files.length === 0) return none;
      const python = await installed('training', 'dev,moe', ' with transformers 5', besideTorch, '.venv-moe');
      const counts = [];
      for (const { folder, file } of files) counts.push(await pytest(python, folder, [file]));
      return sumOf(counts);
    },
    from: 'everything',
    cores: 1,
    needs: ['python'],
  },
  serve: {
    test: async ({ shard }) => checked(await withTorch(), serve, pythonTests(serve, shard), shard),
    from: 'everything',
    cores: 1,
    needs: ['python'],
    after: 'training',
  },
  served: {
    test: async (work) => {
      process.env['GANDER_TEST_SERVE'] = path.join(path.dirname(await withTorch()), 'gander-serve');
      return vitest('served', work);
    },
    from: 'everything',
    cores: 1,
    needs: ['vsix', 'browser', 'python'],
    after: 'serve',
  },
};
