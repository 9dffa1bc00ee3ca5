/** A source that no room knows, which gives only ids: from the choice that names it to what the panel shows. */
import { beforeEach, expect, it } from 'vitest';
import { Runs } from '../../../src/routing/runs.js';
import { RoutingService } from '../../../src/routing/service.js';
import { RoutingStore } from '../../../src/routing/store.js';
import { abilities, type SourceDescription } from '../../../src/requests/description.js';
import { ChildSource } from '../../../src/source/child.js';
import { FileSource, traceEnding } from '../../../src/source/file.js';
import { type SourceKind, SourceRegistry } from '../../../src/source/registry.js';
import type { Source } from '../../../src/source/source.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { TraceBuilder, TraceSender, headOf } from '../../../src/transport/pieces.js';
import { FakeEngine } from '../routing/fakes.js';
import { fabricateIds } from '../trace/fabricate.js';

const only = { reason: 'This server only tells which experts were chosen.' };

const given = fabricateIds();

class Planted implements Source {
  describe(): Promise<SourceDescription> {
    return Promise.resolve({
      name: 'Planted',
      can: {
        ...abilities({ route: true }, only),
        strategies: [],
      },
      experts: [],
      limits: {},
      warnings: [{ code: 'truncated', text: 'The server tells of 8 experts at most.' }],
    });
  }

  route(): Promise<Trace> {
    return Promise.resolve(given);
  }

  dispose(): void {}
}

const kinds: readonly SourceKind[] = [
  { claims: (chosen) => chosen.startsWith('planted:'), open: () => new Planted() },
  { claims: (chosen) => chosen.endsWith(traceEnding), open: (file) => new FileSource(file) },
  { claims: (chosen) => chosen.startsWith('/'), open: () => new ChildSource(new FakeEngine()) },
];
const registry = new SourceRegistry(kinds);
const text = 'a text';
const strategy = { name: 'theirs' };
let source: Source;
let service: RoutingService;
let store: RoutingStore;
let runs: Runs;
let id: number;

beforeEach(() => {
  source = registry.open('planted://here');
  service = new RoutingService(() => source);
  store = new RoutingStore();
  runs = new Runs(service, store);
  const main = { text, title: 't', strategy, interventions: [] };
  ({ id } = store.add({ uri: 'd', version: 1, span: { start: 0, end: text.length }, main }));
});

it('is picked by what was chosen, as the others are', () => {
  expect(source).toBeInstanceOf(Planted);
  expect(registry.open(`/here/x${traceEnding}`)).toBeInstanceOf(FileSource);
  expect(registry.open('/here/pool')).toBeInstanceOf(ChildSource);
  expect(() => registry.open('vllm://there')).toThrow(expect.objectContaining({ code: 'request-invalid' }));
});

it('says what it can do, and what is wrong, to whoever asks the service', async () => {
  const told: (SourceDescription | undefined)[] = [];
  service.onDescribed((description) => told.push(description));
  const description = await service.describe();
  expect(description).toMatchObject({ name: 'Planted', can: { route: true, whatIf: only } });
  expect(description.warnings).toMatchObject([{ code: 'truncated' }]);
  expect(told).toEqual([description]);
});

it('is run, and the store has what it gives with nothing added', async () => {
  await runs.route(id, 'main', strategy, []);
  const { main } = store.get(id)!;
  expect(main).toMatchObject({ running: undefined, error: undefined });
  expect(main.trace).toBe(given);
  // It knows no offsets: no token shows on the text, and none is found under the cursor.
  expect([...store.tokenSpans(id)!.start]).toEqual([-1, -1, -1, -1, -1, -1]);
  expect(store.tokenAt(id, 2)).toBeUndefined();
});

it('reaches the other end as it is: what is absent stays absent', () => {
  const [sender, builder] = [new TraceSender(), new TraceBuilder()];
  for (const pieces of [sender.first(given), sender.deferred(given)]) for (const piece of pieces) builder.add(piece);
  const arrived = builder.build(headOf(given));
  expect(arrived).toEqual(given);
  for (const block of arrived.blocks) expect(Object.keys(block)).not.toContain('weight');
});

it('refuses in its own words what it cannot do, and begins no run', async () => {
  await expect(runs.attribute(id)).rejects.toMatchObject({ message: only.reason });
  await expect(runs.generate(id, { maxTokens: 1 })).rejects.toMatchObject({ message: only.reason });
  expect(store.get(id)!.main.error).toMatchObject({ code: 'request-invalid', message: only.reason });
  expect(store.get(id)!.main.trace).toBeUndefined();
  await expect(service.pool()).rejects.toMatchObject({ code: 'request-invalid' });
});
