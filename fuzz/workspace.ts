import { mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { filesIn } from './spoil/files.js';

/** A folder that is reset to the given files for each case, and a cache. */
export class Workspace {
  readonly #at = realpathSync(mkdtempSync(path.join(tmpdir(), 'gander-fuzz-')));
  readonly folder = path.join(this.#at, 'case');
  readonly cache = path.join(this.#at, 'cache');
  readonly #files: readonly { readonly name: string; readonly bytes: Uint8Array }[];

  /** @param program folders of the program itself, which it may read */
  constructor(
    from: string,
    private readonly program: readonly string[],
    wanted: (name: string) => boolean = () => true,
  ) {
    this.#files = filesIn(from)
      .map((file) => path.relative(from, file))
      .filter(wanted)
      .map((name) => ({ name, bytes: readFileSync(path.join(from, name)) }));
    mkdirSync(this.cache);
  }

  /** Folders in which files may be opened. */
  get roots(): string[] {
    return [this.folder, this.cache, ...this.program];
  }

  restore(): void {
    rmSync(this.folder, { recursive: true, force: true });
    for (const { name, bytes } of this.#files) {
      mkdirSync(path.dirname(path.join(this.folder, name)), { recursive: true });
      writeFileSync(path.join(this.folder, name), bytes);
    }
  }

  /** Removes what killed processes left in the cache. */
  tidy(): void {
    for (const name of readdirSync(this.cache)) rmSync(path.join(this.cache, name), { recursive: true, force: true });
  }

  remove(): void {
    rmSync(this.#at, { recursive: true, force: true });
  }
}
