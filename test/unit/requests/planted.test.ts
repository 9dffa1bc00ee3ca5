/** A request added to the table, with its schema, a family's answer and a view: nothing between them knows of it. */
import { signal } from '@preact/signals-core';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { z } from 'zod';
import type { PagePost } from '../../../src/protocol/panel.js';
import type { Model, Turn } from '../../../src/engine/families/family.js';
import type { Engine } from '../../../src/requests/ask.js';
import type { Requests } from '../../../src/requests/api.js';
import type { PageCalls } from '../../../src/protocol/panel.js';
import type { Source } from '../../../src/source/source.js';
import type { Store as PageStore } from '../../../webview/store/store.js';
import type * as table from '../../../src/requests/table.js';
import type { Asking } from '../../../src/channel/messages.js';
import { pool } from '../routing/fakes.js';

type Table = typeof table;

const row = {
  isOfRun: true,
  gives: 'data',
  isKept: true,
  absent: { reason: 'Nobody counts letters here.', remedy: 'Count them yourself.' },
} as const;

/** What the request is called; typed as one of the table's names, which it would be if the table had it. */
const count = 'count' as 'lens';

interface Counting {
  readonly text: string;
  readonly of: string;
}

// Other test files of this worker have loaded these modules without it, and will again.
vi.resetModules();
vi.doMock('../../../src/requests/table.js', async (original) => {
  const own = await original<Table>();
  const requests = { ...own.requests, [count]: row };
  return {
    ...own,
    requests,
    requestNames: Object.keys(requests),
    runRequestNames: [...own.runRequestNames, count],
    rowOf: (name: keyof typeof requests) => requests[name],
  };
});
/** Texts in which letters were counted. */
const counted: string[] = [];
const answers = {
  [count]: async ({ text, of }: Counting, { check, onProgress }: Turn<'lens'>) => {
    counted.push(text);
    await check();
    onProgress?.(1, 1);
    return { letters: text.split(of).length - 1 };
  },
};
/** A model of a family that answers the request, and one of a family that does not. */
const modelOf = (folder: string) =>
  ({
    isCurrent: () => true,
    info: () => Promise.resolve(pool),
    ...(folder === '/counts' && { answers }),
  }) as unknown as Model;
vi.doMock('../../../src/engine/families/index.js', () => ({ familyOf: () => ({ open: modelOf }) }));
afterAll(() => {
  vi.doUnmock('../../../src/requests/table.js');
  vi.doUnmock('../../../src/engine/families/index.js');
  vi.resetModules();
});

const { schemas } = await import('../../../src/requests/schemas.js');
const { Answerer } = await import('../../../src/channel/answerer.js');
const { Caller } = await import('../../../src/channel/caller.js');
const { createEngine } = await import('../../../src/engine/local.js');
const { parsePageMessage } = await import('../../../src/panel/messages.js');
const { abilities } = await import('../../../src/requests/description.js');
const { Askable } = await import('../../../src/requests/ask.js');
const { Runs } = await import('../../../src/routing/runs.js');
const { RoutingService } = await import('../../../src/routing/service.js');
const { RoutingStore } = await import('../../../src/routing/store.js');
const { ChildSource } = await import('../../../src/source/child.js');
const { FileSource } = await import('../../../src/source/file.js');
const { cutterOf, joinerOf } = await import('../../../src/transport/forms.js');
const { remoteEngine } = await import('../../../src/remote/index.js');
const { Store } = await import('../../../webview/store/store.js');

beforeAll(() => {
  Object.assign(schemas, { [count]: z.object({ text: z.string(), of: z.string().min(1) }) });
});

type ToChild = InstanceType<typeof Answerer<Requests>>;
type ToHost = InstanceType<typeof Caller<Requests>>;

/** An engine in a child, as its client sees it: all messages are copied. */
async function engineOn(pool: string): Promise<Engine> {
  const engine = await createEngine({ pool, cache: '/cache', threads: 1, chunk: 16 });
  const answerer: ToChild = new Answerer<Requests>(
    (name, request, options) => engine.ask(name, request, options),
    (message) => caller.take(structuredClone(message)),
    cutterOf,
  );
  const caller: ToHost = new Caller<Requests>((message) => answerer.take(structuredClone(message)), joinerOf);
  class Client extends Askable implements Engine {
    ask: Engine['ask'] = (name, request, options) => caller.ask(name, request, options);
    dispose() {}
  }
  return new Client();
}

/** The panel's page, and the host behind it. */
function panel(source: Source) {
  const store = new RoutingStore();
  const runs = new Runs(new RoutingService(() => source), store);
  const text = 'goose and geese';
  const main = { text, title: 't', strategy: { name: 'base' }, interventions: [] };
  const { id } = store.add({ uri: 'd', version: 1, span: { start: 0, end: text.length }, main });
  const host = new Answerer<PageCalls>(
    (type, request, waiting) => {
      const message = parsePageMessage({ type, ...request });
      if (message.type !== 'ask') throw new Error(JSON.stringify(message));
      return runs.ask(id, message.name, message.more, waiting);
    },
    (message) => page.receive(structuredClone(message)),
  );
  const posted = { getState: () => undefined, setState: () => {} };
  const postMessage = (message: PagePost) => host.take(structuredClone(message) as Asking);
  const page = new Store({ ...posted, postMessage }, undefined as never, undefined as never);
  return { page, main: () => store.get(id)!.main };
}

/** A view: what it shows after its button was pressed. */
async function shown(page: PageStore, of: string): Promise<string> {
  const letters = signal('');
  try {
    const found: unknown = await page.ask(count, { of } as never);
    letters.value = String((found as { readonly letters: number }).letters);
  } catch (thrown) {
    letters.value = (thrown as Error).message;
  }
  return letters.value;
}

it('reaches the family from a view, through host, source and child, and its answer comes back', async () => {
  const { page, main } = panel(new ChildSource(await engineOn('/counts')));
  expect(await shown(page, 'e')).toBe('4');
  expect(main()).toMatchObject({ running: undefined, error: undefined });
  // As its row says, asking again gives the known result.
  expect(await shown(page, 'e')).toBe('4');
  expect(counted).toEqual(['goose and geese']);
});

it('is checked by its schema, and what is wrong with it comes back to the view', async () => {
  const { page } = panel(new ChildSource(await engineOn('/counts')));
  expect(await shown(page, '')).toMatch(/^The request cannot be understood: "of"/);
});

it('is refused if it cannot be asked, in the words of the source or else of the table', async () => {
  expect(await shown(panel(new FileSource('a trace')).page, 'e')).toMatch(/nothing can be run in it/);
  expect(await shown(panel(new ChildSource(await engineOn('/counts-not'))).page, 'e')).toBe(row.absent.reason);
  expect(abilities({})).toMatchObject({ [count]: { reason: row.absent.reason } });
});

it('is a method of whatever can be asked', () => {
  expect(remoteEngine({ pool: 'http://127.0.0.1:9' })[count]).toBeTypeOf('function');
});
