import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { readTrace } from '../../../src/cli/input.js';
import { encodeTrace } from '../../../src/trace/file/file.js';
import { fabricate } from '../trace/fabricate.js';

it('checks the size of a trace file before it reads the file', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'gander-input-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'a.gander.safetensors');
  const trace = fabricate();
  writeFileSync(file, encodeTrace(trace));
  expect(readTrace(file)).toStrictEqual(trace);
  truncateSync(file, 1.9e9);
  const before = process.memoryUsage().rss;
  expect(() => readTrace(file)).toThrow(/1\.9 GB, and at most 537 MB can be shown/);
  expect(process.memoryUsage().rss - before).toBeLessThan(500e6);
  expect(() => readTrace(path.join(folder, 'none'))).toThrow(/Could not read/);
});
