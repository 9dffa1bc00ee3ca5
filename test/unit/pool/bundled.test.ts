import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { modelNames } from '../../../scripts/lib/vsix.mjs';
import { modelFiles } from '../../../scripts/models.mjs';
import { readCard } from '../../../src/pool/card.js';
import { bundledModels } from '../../../src/product/bundled.js';

const root = path.resolve(import.meta.dirname, '../../..');

describe('the models that ship', () => {
  it('are those in the package, a pool first', () => {
    expect(bundledModels.map(({ folder }) => folder)).toEqual(modelNames);
    expect(existsSync(path.join(root, 'models', bundledModels[0].folder, 'pool.json'))).toBe(true);
  });

  it('have the files that `gander models get` expects', () => {
    expect(readFileSync(path.join(root, 'src/product/modelFiles.json'), 'utf8')).toBe(modelFiles());
  });

  it.each(bundledModels)('exist, and have their own names in lists: $folder', ({ folder, title }) => {
    const place = path.join(root, 'models', folder);
    const manifest = path.join(place, 'pool.json');
    const name = existsSync(manifest)
      ? (JSON.parse(readFileSync(manifest, 'utf8')) as { name: string }).name
      : readCard(path.join(place, 'README.md')).name;
    expect(name).toBe(title);
  });
});
