import { afterEach, describe, expect, it, vi } from 'vitest';
import { addresses, manifest, pageOfDocs, readmeOutside } from '../../../scripts/lib/published.mjs';

afterEach(() => void vi.unstubAllEnvs());

const text = '[a](../docs/a.md#b) ![c](c.png) [d](https://d.example) [e](#e) [f](../LICENSE)';

// package.json names no repository yet; once it does, the environment no longer matters.
describe.skipIf(manifest().repository !== undefined)('where a package is from', () => {
  it('is the repository that builds it', () => {
    vi.stubEnv('GITHUB_REPOSITORY', 'someone/fork');
    const { version } = manifest();
    expect(addresses()).toEqual({
      repository: { type: 'git', url: 'git+https://github.com/someone/fork.git' },
      bugs: { url: 'https://github.com/someone/fork/issues' },
      homepage: 'https://github.com/someone/fork#readme',
    });
    const blob = `https://github.com/someone/fork/blob/v${version}`;
    expect(readmeOutside(text, 'npm')).toBe(
      `[a](${blob}/docs/a.md#b) ![c](https://github.com/someone/fork/raw/v${version}/npm/c.png) ` +
        `[d](https://d.example) [e](#e) [f](${blob}/LICENSE)`,
    );
    const own = (file: string) => file === 'docs/a.md';
    expect(pageOfDocs(text, 'npm', own)).toContain(`[a](../docs/a.md#b) ![c](https://`);
    expect(pageOfDocs(text, 'npm', own)).toContain(`[f](${blob}/LICENSE)`);
  });

  it('is not said if it is not known', () => {
    vi.stubEnv('GITHUB_REPOSITORY', undefined);
    expect(addresses()).toEqual({});
    expect(readmeOutside(text, 'npm', (file) => file === 'LICENSE')).toBe(
      'a  [d](https://d.example) [e](#e) [f](../LICENSE)',
    );
    expect(pageOfDocs(text, 'npm', (file) => file === 'docs/a.md')).toBe(
      '[a](../docs/a.md#b)  [d](https://d.example) [e](#e) f',
    );
  });
});
