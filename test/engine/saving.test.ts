/** Files saved over old ones replace them whole or not at all, even if the process runs out of space or is killed. */
import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { buildSync } from 'esbuild';
import { describe, expect, it, onTestFinished } from 'vitest';
import { saveFile } from '../../src/files/save.js';
import { builtCli, root, temporaryFolder, tinyPool } from './support.js';

const bin = builtCli();
const old = 'what a person had\n';

/** A file in its own folder. */
function oldFile(name: string): string {
  const file = path.join(temporaryFolder(), name);
  writeFileSync(file, old);
  return file;
}

const leftIn = (file: string) => readdirSync(path.dirname(file));

describe.skipIf(process.platform === 'win32')('a full disk', () => {
  const cache = temporaryFolder();
  /** Limits files to one kilobyte. */
  const cramped = (args: readonly string[]) =>
    new Promise<{ code: unknown; error: string }>((resolve) =>
      execFile(
        'bash',
        ['-c', 'ulimit -f 1; exec "$@"', 'bash', process.execPath, bin, ...args],
        { cwd: root, env: { ...process.env, XDG_CACHE_HOME: cache } },
        (failed, _, error) => resolve({ code: failed?.code ?? 0, error }),
      ),
    );
  const text = 'The geese fly south in autumn. '.repeat(8);
  const route = ['route', '--pool', tinyPool, text];
  const pairs = path.join(temporaryFolder(), 'pairs.csv');
  writeFileSync(pairs, 'prefill,0,0,0,1\nprefill,999,0,0,1\n');

  it('leaves the old file unchanged, whatever is saved', async () => {
    // The composed graph takes more space.
    await new Promise((resolve) =>
      execFile(
        process.execPath,
        [bin, ...route],
        { cwd: root, env: { ...process.env, XDG_CACHE_HOME: cache } },
        resolve,
      ),
    );
    const saving: readonly [string, readonly string[]][] = [
      ['one.gander.safetensors', [...route, '--trace']],
      ['one.csv', [...route, '--csv']],
      ['cells.csv', [...route, '--cells']],
      ['one.html', [...route, '--html']],
      ['imported.gander.safetensors', ['import', pairs, '-o']],
    ];
    for (const [name, args] of saving) {
      const file = oldFile(name);
      expect(await cramped([...args, file])).toEqual({
        code: 1,
        error: expect.stringContaining(`Could not write ${file}: EFBIG. `) as string,
      });
      expect([leftIn(file), readFileSync(file, 'utf8')]).toEqual([[name], old]);
    }
  });
});

it('a process that is killed while it writes leaves the old file unchanged', async () => {
  const script = path.join(temporaryFolder(), 'saves.cjs');
  buildSync({
    stdin: {
      contents: `
        import { saveFile } from './src/files/save.js';
        function* endless() {
          for (;;) {
            yield 'goose '.repeat(200_000);
            process.send('writing');
          }
        }
        void saveFile(process.argv[2], endless());`,
      resolveDir: root,
      loader: 'ts',
    },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    outfile: script,
  });
  const file = oldFile('one.csv');
  const child = fork(script, [file], { execArgv: [] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child, 'message');
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(readFileSync(file, 'utf8')).toBe(old);
});

describe('saving over an old file', () => {
  it('replaces it, with the same permissions', async () => {
    const file = oldFile('one.csv');
    chmodSync(file, 0o600);
    await saveFile(file, ['a,', 'b\n', 'c,d\n']);
    expect([readFileSync(file, 'utf8'), leftIn(file)]).toEqual(['a,b\nc,d\n', ['one.csv']]);
    if (process.platform !== 'win32') expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('follows a link, and keeps it', async () => {
    const [file, link] = [oldFile('one.csv'), path.join(temporaryFolder(), 'link.csv')];
    symlinkSync(file, link);
    await saveFile(link, Uint8Array.of(103));
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect([realpathSync(link), readFileSync(file, 'utf8')]).toEqual([realpathSync(file), 'g']);
  });

  it('leaves nothing behind if it fails half-way', async () => {
    const file = oldFile('one.csv');
    const failing = function* () {
      yield 'a'.repeat(3_000_000);
      throw new Error('no more');
    };
    await expect(saveFile(file, failing())).rejects.toThrow('no more');
    expect([readFileSync(file, 'utf8'), leftIn(file)]).toEqual([old, ['one.csv']]);
  });

  it('is refused if a folder has the name', async () => {
    const folder = path.join(temporaryFolder(), 'folder');
    mkdirSync(folder);
    await expect(saveFile(folder, 'a')).rejects.toMatchObject({ code: 'EISDIR' });
  });

  it.skipIf(process.platform === 'win32')('does not replace a device', async () => {
    await saveFile('/dev/null', 'a');
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  });
});
