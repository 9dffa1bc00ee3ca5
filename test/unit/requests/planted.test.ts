/**
 * A new request with its tab. Six files are planted here: `requests/table` (its row), `requests/schemas` (its types and its check), a
 * family's answer, `words/words`, the view itself and `app/views` (its tab). Nothing between them knows of it.
 */
import { h } from 'preact';
import { useState } from 'preact/hooks';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { z } from 'zod';
import type { PagePost } from '../../../src/protocol/panel.js';
import type { Model, Turn } from '../../../src/engine/families/family.js';
import type { Engine } from '../../../src/requests/ask.js';
import type { Requests } from '../../../src/requests/schemas.js';
import type { PageCalls } from '../../../src/protocol/panel.js';
import type { Source } from '../../../src/source/source.js';
import type * as table from '../../../src/requests/table.js';
import type { Asking } from '../../../src/channel/messages.js';
import type { Word } from '../../../src/words/words.js';
import { fakeTrace, pool } from '../routing/fakes.js';
import { mount, type Mounted, stubPage } from '../webview/mounted.js';

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
// Read off the page, of which there is none.
vi.doMock('../../../webview/look/theme.js', () => ({}));
stubPage();
afterAll(() => {
  vi.unstubAllGlobals();
  vi.doUnmock('../../../src/requests/table.js');
  vi.doUnmock('../../../src/engine/families/index.js');
  vi.doUnmock('../../../webview/look/theme.js');
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
const { SideSender } = await import('../../../src/transport/sides.js');
const { words } = await import('../../../src/words/words.js');
const { views, Views } = await import('../../../webview/app/views.js');
const { StoreProvider, useStore } = await import('../../../webview/components/context.js');
const { Button } = await import('../../../webview/components/controls.js');
const { t } = await import('../../../webview/look/strings.js');
const { initial } = await import('../../../webview/store/state.js');
const { Store } = await import('../../../webview/store/store.js');

/** What the view asks about, as if it were typed there. */
let letter = 'e';

function CountView() {
  const store = useStore();
  const [said, setSaid] = useState<readonly string[]>([]);
  const say = (text: string) => setSaid((before) => [...before, text]);
  const press = () => {
    store.ask(count, { of: letter } as never).then(
      (found) => say(String((found as unknown as { readonly letters: number }).letters)),
      (error: unknown) => say((error as Error).message),
    );
  };
  return h(
    'p',
    null,
    h(Button, { press, 'data-focus': 'count' }, t('countLetters' as Word)),
    h('ol', null, ...said.map((text) => h('li', null, text))),
  );
}

beforeAll(() => {
  Object.assign(schemas, { [count]: z.object({ text: z.string(), of: z.string().min(1) }) });
  Object.assign(words, { tab_count: 'Letters', countLetters: 'Count them' });
  Object.assign(views, { count: CountView });
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

/** The panel's page, drawn, and the host behind it. */
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
  const posted = { getState: () => ({ ...initial, tab: 'count' }), setState: () => {} };
  const postMessage = (message: PagePost) => host.take(structuredClone(message) as Asking);
  const page = new Store({ ...posted, postMessage }, undefined as never, undefined as never);
  const shown = { ...main, trace: fakeTrace(main), stale: false };
  for (const message of new SideSender().messages('main', shown)) page.receive(structuredClone(message));
  const drawn = mount(h(StoreProvider, { value: page }, h(Views, null)));
  return { drawn, main: () => store.get(id)!.main };
}

/** What the tab shows after its button was pressed. */
async function shown(drawn: Mounted, of: string): Promise<string> {
  letter = of;
  expect(drawn.all('role', 'tab').at(-1)!.textContent).toBe('Letters');
  expect(drawn.all('aria-selected', 'true').map(({ textContent }) => textContent)).toEqual(['Letters']);
  const button = drawn.all('data-focus', 'count')[0]!;
  expect(button.textContent).toBe('Count them');
  const { childNodes } = button.nextSibling as Mounted;
  const before = childNodes.length;
  button.click();
  const item = await vi.waitUntil(() => childNodes[before]);
  return item.textContent;
}

it('reaches the family from a view, through host, source and child, and its answer comes back', async () => {
  const { drawn, main } = panel(new ChildSource(await engineOn('/counts')));
  expect(await shown(drawn, 'e')).toBe('4');
  expect(main()).toMatchObject({ running: undefined, error: undefined });
  // As its row says, asking again gives the known result.
  expect(await shown(drawn, 'e')).toBe('4');
  expect(counted).toEqual(['goose and geese']);
});

it('is checked by its schema, and what is wrong with it comes back to the view', async () => {
  const { drawn } = panel(new ChildSource(await engineOn('/counts')));
  expect(await shown(drawn, '')).toMatch(/^The request cannot be understood: "of"/);
});

it('is refused if it cannot be asked, in the words of the source or else of the table', async () => {
  expect(await shown(panel(new FileSource('a trace')).drawn, 'e')).toMatch(/nothing can be run in it/);
  expect(await shown(panel(new ChildSource(await engineOn('/counts-not'))).drawn, 'e')).toBe(row.absent.reason);
  expect(abilities({})).toMatchObject({ [count]: { reason: row.absent.reason } });
});

it('is a method of whatever can be asked', () => {
  expect(remoteEngine({ pool: 'http://127.0.0.1:9' })[count]).toBeTypeOf('function');
});
