import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cutAt, heldoutKinds, ownKinds, readDocuments } from '../../../evaluate/documents.js';

let corpora: string;
beforeEach(() => {
  corpora = mkdtempSync(path.join(os.tmpdir(), 'gander-test-'));
  mkdirSync(path.join(corpora, 'heldout'));
  mkdirSync(path.join(corpora, 'a'));
});
afterEach(() => rmSync(corpora, { recursive: true }));

const lines = (...texts: string[]) =>
  texts.map((text, i) => `${JSON.stringify({ text, package: 'p', path: `${i}.md` })}\n`).join('');
const cut = (text: string) => text.slice(0, 4);

describe('documents', () => {
  it('are the first of the file, cut, without duplicates', async () => {
    writeFileSync(path.join(corpora, 'heldout/k.jsonl'), lines('same one', 'same two', 'other', '', 'third'));
    const documents = await readDocuments(corpora, 'heldout', 'k', 2, cut);
    expect(documents.map((d) => [d.text, d.path])).toEqual([
      ['same', '0.md'],
      ['othe', '2.md'],
    ]);
    expect(await readDocuments(corpora, 'heldout', 'k', 2, cut)).toEqual(documents);
    expect(await readDocuments(corpora, 'heldout', 'k', 9, cut)).toHaveLength(3);
  });

  it('change their hash with their text only', async () => {
    writeFileSync(path.join(corpora, 'heldout/k.jsonl'), lines('one'));
    writeFileSync(path.join(corpora, 'a/test.jsonl'), lines('two', 'one'));
    const [first] = await readDocuments(corpora, 'heldout', 'k', 1, cut);
    const [two, one] = await readDocuments(corpora, 'own', 'a', 2, cut);
    expect(one!.hash).toBe(first!.hash);
    expect(two!.hash).not.toBe(first!.hash);
  });

  it('are refused with a reason', async () => {
    await expect(readDocuments(corpora, 'heldout', 'none', 1, cut)).rejects.toThrow(/none\.jsonl cannot be read/);
    writeFileSync(path.join(corpora, 'heldout/k.jsonl'), `${lines('one')}{"text": 1}\n`);
    await expect(readDocuments(corpora, 'heldout', 'k', 9, cut)).rejects.toThrow(/line 2 is not a document/);
    expect(() => heldoutKinds(path.join(corpora, 'nowhere'))).toThrow('no held-out documents');
  });

  it('are of the kinds that exist', () => {
    for (const kind of ['vue', 'cpp']) writeFileSync(path.join(corpora, `heldout/${kind}.jsonl`), lines('x'));
    writeFileSync(path.join(corpora, 'a/test.jsonl'), lines('x'));
    expect(heldoutKinds(corpora)).toEqual(['cpp', 'vue']);
    expect(ownKinds(corpora, [{ id: 'b' }, { id: 'a' }])).toEqual(['a']);
  });
});

describe('cut', () => {
  it('ends with a token, not counting special ones', () => {
    expect(cutAt('one two three', [-1, 3, 7, 13], 2)).toBe('one two');
    expect(cutAt('one two', [-1, 3, 7], 5)).toBe('one two');
    expect(cutAt('', [], 5)).toBe('');
  });

  it('does not split a character', () => {
    expect(cutAt('a🪿b', [1, 2, 3, 4], 2)).toBe('a');
  });
});
