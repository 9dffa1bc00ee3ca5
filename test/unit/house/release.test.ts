import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { notesOf, versionsOf } from '../../../scripts/lib/releases.mjs';

const root = path.resolve(import.meta.dirname, '../../..');
const release = (...args: string[]) => {
  try {
    return execFileSync(process.execPath, [path.join(root, 'scripts/release.mjs'), ...args], { encoding: 'utf8' });
  } catch (error) {
    return (error as { stderr: string }).stderr;
  }
};

const changelog = `# Changelog

## Unreleased

- Not yet.

## 1.2.0 (2026-11-28)

- New.

### The panel

- Newer.

## 1.1.0

- Old.
`;

describe("a release's notes", () => {
  it('are what the changelog says under its version', () => {
    expect(notesOf(changelog, '1.2.0')).toBe('- New.\n\n### The panel\n\n- Newer.');
    expect(notesOf(changelog, '1.1.0')).toBe('- Old.');
  });

  it('are empty for a version that it does not name', () => {
    expect(notesOf(changelog, '1.2')).toBe('');
    expect(notesOf(changelog, '1x2.0')).toBe('');
  });
});

it('finds a version in every file that states one', () => {
  const read = (file: string) => readFileSync(path.join(root, file), 'utf8');
  for (const [file, version] of Object.entries(versionsOf(read))) expect(version, file).toMatch(/^\d+\.\d+\.\d+$/);
});

it('says what a tag lacks', () => {
  expect(release('check', '0.2.0')).toContain('it must look like v1.2.3');
  expect(release('check', 'v999.0.0')).toContain('CHANGELOG.md says nothing under "## 999.0.0"');
});
