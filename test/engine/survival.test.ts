/** Paths of a pool that lead out of it. What else may be wrong with one: fuzz.test.ts, guard.test.ts, limits.test.ts. */
import { cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { EngineClient } from '../../src/engine/client.js';
import { externalOf, parseModel, setExternal, writeModel } from '../../src/graph/model.js';
import { builtEngine, temporaryFolder, tinyPool } from './support.js';

const folder = path.join(temporaryFolder(), 'pool');
const client = new EngineClient({
  entry: builtEngine(),
  pool: folder,
  cache: temporaryFolder(),
  threads: 1,
  chunk: 256,
});
afterAll(() => client.dispose());

const editJson = (file: string, edit: (json: Record<string, unknown>) => void) => {
  const json = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  edit(json);
  writeFileSync(file, JSON.stringify(json));
};

it.each<[string, () => void]>([
  ['in pool.json', () => editJson(path.join(folder, 'pool.json'), (json) => (json['experts'] = '../../secret'))],
  [
    'to the model',
    () =>
      editJson(
        path.join(folder, 'pool.json'),
        (json) => ((json['base'] as Record<string, unknown>)['model'] = '/etc/passwd'),
      ),
  ],
  [
    'by a link',
    () => {
      rmSync(path.join(folder, 'base/tokenizer.json'));
      symlinkSync('/etc/passwd', path.join(folder, 'base/tokenizer.json'));
    },
  ],
  ...['../../secret.bin', '/etc/passwd', 'link.bin'].map((location): [string, () => void] => [
    `in external data: ${location}`,
    () => {
      const file = path.join(folder, 'base/model.onnx');
      symlinkSync('/etc/passwd', path.join(folder, 'base/link.bin'));
      const model = parseModel(readFileSync(file));
      setExternal(model.graph.initializer[0]!, location, 0, 64);
      expect(externalOf(model.graph.initializer[0]!)?.location).toBe(location);
      writeFileSync(file, writeModel(model));
    },
  ]),
])('does not follow a path that leads out %s', async (_, spoil) => {
  rmSync(folder, { recursive: true, force: true });
  cpSync(tinyPool, folder, { recursive: true });
  spoil();
  const route = client.route({ text: 'the model 🦢', strategy: { name: 'phatgoose', k: 2 } });
  await expect(route).rejects.toMatchObject({ name: 'GanderError', code: 'pool-unsafe-path' });
});
