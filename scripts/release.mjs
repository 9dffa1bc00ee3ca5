// node scripts/release.mjs check v0.2.0: whether everything that is released has this version and the changelog says what is new.
// node scripts/release.mjs notes v0.2.0: what the changelog says of it, as the release's notes.
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { main, Remedy, root } from './lib/main.mjs';
import { notesOf, versionsOf } from './lib/releases.mjs';

const read = (/** @type {string} */ file) => readFileSync(path.join(root, file), 'utf8');

await main(async () => {
  const [verb, tag = ''] = process.argv.slice(2);
  const version = /^v(\d+\.\d+\.\d+)$/.exec(tag)?.[1];
  if (!version) throw new Remedy(`the tag is "${tag}"; it must look like v1.2.3`);
  const notes = notesOf(await readFile(path.join(root, 'CHANGELOG.md'), 'utf8'), version);
  if (!notes)
    throw new Remedy(`CHANGELOG.md says nothing under "## ${version}"; rename "## Unreleased", with its date`);
  if (verb === 'notes') {
    console.log(notes);
    return 0;
  }
  if (verb !== 'check') throw new Remedy(`there are check and notes, not "${verb ?? ''}"`);
  const other = Object.entries(versionsOf(read)).filter(([, is]) => is !== version);
  if (other.length)
    throw new Remedy(`the tag is ${tag}, but ${other.map(([file, is]) => `${file} has ${is}`).join(', ')}`);
  return 0;
});
