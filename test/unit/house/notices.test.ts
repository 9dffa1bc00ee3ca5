import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { expect, it } from 'vitest';
import { natives, targets } from '../../../scripts/lib/targets.mjs';

const root = path.resolve(import.meta.dirname, '../../..');
const modules = path.join(root, 'node_modules');
const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string };

it('name the file for the onnxruntime that is installed', () => {
  const file = `third-party/onnxruntime-${version}.txt`;
  expect(readFileSync(path.join(root, 'THIRD_PARTY_NOTICES.md'), 'utf8')).toContain(`## onnxruntime-node ${version}`);
  expect(readFileSync(path.join(root, 'THIRD_PARTY_NOTICES.md'), 'utf8')).toContain(file);
  expect(readFileSync(path.join(root, file), 'utf8')).toContain('THIRD PARTY SOFTWARE NOTICES');
});

/** Text in a library that contains the work, and the work's name in the notices. */
const marks: Record<string, RegExp> = {
  sqlite_schema: /SQLite/,
  'libcurl is built without': /curl\/curl/,
  'X509 - ': /Mbed TLS/,
  'tint::': /dawn/,
  absl: /abseil-cpp/,
  N6google8protobuf: /protocolbuffers\/protobuf/,
  nlohmann: /nlohmann\/json/,
  OneCollector: /cpp_client_telemetry/,
  Eigen: /Eigen/,
  kai_: /KleidiAI/,
};

it.each(Object.keys(targets))('name what the library for %s is built from, judging by text in it', (name) => {
  const notices = readFileSync(path.join(root, `third-party/onnxruntime-${version}.txt`), 'utf8');
  const [library] = natives(targets[name]!)['onnxruntime-node'] as [string];
  const bytes = readFileSync(path.join(modules, 'onnxruntime-node', library));
  const found = Object.keys(marks).filter((mark) => bytes.includes(mark));
  expect(found.length).toBeGreaterThan(2);
  expect(found.filter((mark) => !marks[mark]!.test(notices))).toEqual([]);
});
