/** An atlas with known experts in it, and a host that answers the page from its tables. */
import { placesOf, type Ablated } from '../../src/atlas/ablation.js';
import { formatFields, type About, runOf } from '../../src/atlas/about.js';
import type { AtlasCalls, AtlasPagePost, OwnName } from '../../src/atlas/protocol.js';
import { tablesOf, type Tables } from '../../src/atlas/tables/index.js';
import { random } from '../../src/statistics/random.js';
import type { ErrorData } from '../../src/errors/errors.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { corpusOf, documentOf, type Drawn, drawn, traceOf } from '../unit/atlas/planted.js';
import type { Panel } from './harness.js';
import type { pages } from './pages.js';

const labels = ['code', 'law', 'mail', 'verse'];

/** Law goes to expert 5 of layer 0, token 7 to expert 2 of layer 1, nothing to expert 3 there, and most to expert 0 of layer 2. */
export const planted = {
  law: { stack: null, layer: 0, router: null, expert: 5 },
  token: { stack: null, layer: 1, router: null, expert: 2 },
  dead: { stack: null, layer: 1, router: null, expert: 3 },
  overloaded: { stack: null, layer: 2, router: null, expert: 0 },
  nothing: { stack: null, layer: 0, router: null, expert: 1 },
} as const;

interface Shape {
  readonly experts?: number;
  readonly layers?: number;
  readonly documents?: number;
  readonly isPool?: boolean;
  /** All documents have the same label. */
  readonly isUnlabelled?: boolean;
}

export interface Made {
  readonly about: About;
  readonly tables: Tables;
}

export function madeAtlas({
  experts = 8,
  layers = 3,
  documents = 80,
  isPool = false,
  isUnlabelled = false,
}: Shape = {}): Made {
  const next = random(11);
  const names = isUnlabelled ? [null] : labels;
  const corpus = Array.from({ length: documents }, (_, d): Drawn => {
    const label = names[d % names.length]!;
    const T = 20 + Math.floor(next() * 40);
    const ids = Array.from({ length: T }, () => Math.floor(next() * 30));
    const chosen = Array.from({ length: layers }, (_, layer) => {
      const favourite = Math.floor(next() * experts);
      const weights = Array.from({ length: experts }, (_, e) => {
        if (layer === 0 && label === 'law' && e === 5) return 12;
        if (layer === 1 && e === 3) return 0;
        if (layer === 2 && e === 0) return 2 * experts;
        return e === favourite ? 4 : 1;
      });
      return ids.map((id) => (id === 7 && layer === 1 ? 2 : drawn(weights, next)));
    });
    const trace = traceOf(experts, chosen, ids);
    return { document: documentOf(`${label}/${d}.txt`, label), trace: isPool ? asPool(trace) : trace };
  });
  const sums = corpusOf(corpus);
  const { tables, shuffles } = tablesOf(sums, isPool ? [] : ablated(sums));
  const rows = sums.figures.documents.rows;
  return {
    tables,
    about: {
      ...formatFields,
      run: runOf(corpus[0]!.trace),
      layers: [...sums.layout.layers],
      corpus: {
        label: 'folder',
        text: 'text',
        id: null,
        target: null,
        shard: null,
        fingerprint: '',
        labels: sums.figures.choices.labels.map(([label]) => label),
      },
      totals: {
        documents: rows.length,
        tokens: rows.reduce((sum, { tokens }) => sum + tokens, 0),
        bytes: 0,
        bitsPerByte: null,
      },
      shuffles,
      leftOut: [],
    },
  };
}

/** The same choices by experts that are the same in all layers. */
function asPool(trace: Trace): Trace {
  const names = ['C', 'CSS', 'Go', 'HTML', 'Java', 'JSON', 'Python', 'Rust', 'Shell', 'SQL', 'TypeScript', 'Prose'];
  const experts = trace.expertSets[0]!.experts.map((_, e) => ({ id: `e${e}`, name: names[e] ?? `Expert ${e}` }));
  return {
    ...trace,
    source: { ...trace.source, kind: 'pool' },
    expertSets: [{ scope: 'pool', experts }],
    modules: trace.modules.map((module) => ({ ...module, expertSet: 0 })),
  };
}

/** The expert for law matters, its neighbour does not. */
function ablated({ layout, figures }: ReturnType<typeof corpusOf>): Ablated[] {
  const next = random(5);
  const noise = () => 0.1 * (next() - 0.5);
  return placesOf(
    [5, 1].filter((unit) => unit < layout.units),
    figures.contexts.kept,
  ).map((place) => {
    const matched = { next: noise(), later: noise() };
    return { ...place, own: place.unit === 5 ? { next: noise() - 0.5, later: noise() - 0.2 } : matched, matched };
  });
}

type Open = ReturnType<typeof pages>;

/** Opens the page with an atlas, which it may ask about. */
export async function openAtlas(
  open: Open,
  made: Made,
  setup: Parameters<Open>[0] = {},
  names: readonly OwnName[] = [],
): Promise<Panel> {
  const panel = await open({ script: 'atlas', ...setup });
  await show(panel, made, names);
  return panel;
}

/** Sends the atlas, as the host does when the page says that it is ready. */
export async function show(panel: Panel, { about, tables }: Made, names: readonly OwnName[] = []): Promise<void> {
  await panel.page.waitForFunction(() => (window as unknown as Spied).sent.some(({ type }) => type === 'ready'));
  // As a file has them, and as the editor sends them: no number without end.
  await panel.page.evaluate(answering, JSON.stringify(tables));
  const { layers, experts, labels: own } = JSON.parse(JSON.stringify(tables)) as Tables;
  await panel.post({ type: 'atlas', title: 'planted.gander-atlas', about, layers, experts, labels: own, names });
}

interface Spied {
  readonly sent: AtlasPagePost[];
  /** By name of the call: why the host refuses it. */
  refused?: Partial<Record<string, ErrorData>>;
}

/** From now on, the host refuses calls of one kind. */
export async function refuse(panel: Panel, name: keyof AtlasCalls, error: ErrorData): Promise<void> {
  await panel.page.evaluate(
    ([name, error]) => {
      const page = window as unknown as Spied;
      page.refused = { ...page.refused, [name]: error };
    },
    [name, error] as const,
  );
}

/** Runs on the page: answers each call in a later task, as a host would. */
function answering(json: string): void {
  type Row = Record<string, unknown>;
  const tables = JSON.parse(json) as Record<string, Row[]>;
  const answers: Record<string, (request: never) => unknown> = {
    rows: ({ table, where }: { table: string; where: Row }) =>
      tables[table]!.filter((row) => Object.entries(where).every(([name, value]) => row[name] === value)),
    find: ({ token }: { token: string }) => tables['tokens']!.filter((row) => String(row['token']).includes(token)),
    // Experts are the more alike the closer their numbers are.
    similar: ({ unit }: { unit: Row }) =>
      tables['experts']!.filter(({ layer, expert }) => layer === unit['layer'] && expert !== unit['expert']).map(
        ({ stack, layer, expert }) => {
          const gate = 1 / (1 + Math.abs(Number(expert) - Number(unit['expert'])));
          return { stack, layer, expert, gate, adapter: expert === 0 ? null : gate / 2 };
        },
      ),
    text: ({ text }: { text: string }) =>
      tables['experts']!.map(({ stack, layer, expert, load }) => ({
        stack,
        layer,
        expert,
        share: text === 'law' && layer === 0 && expert === 5 ? 0.9 : load,
      })),
  };
  const { sent } = window as unknown as { sent: unknown[] };
  const push = Array.prototype.push.bind(sent);
  sent.push = (...messages) => {
    for (const message of messages as { type: string; id: number; name: string; request: never }[]) {
      if (message.type !== 'call') continue;
      const error = (window as unknown as Spied).refused?.[message.name];
      const data = error
        ? { type: 'error', id: message.id, error }
        : { type: 'result', id: message.id, result: answers[message.name]?.(message.request) };
      setTimeout(() => window.dispatchEvent(new MessageEvent('message', { data })));
    }
    return push(...messages);
  };
}

/** The requests of one kind that the page has sent. */
export function asked<N extends keyof AtlasCalls>(panel: Panel, name: N): Promise<AtlasCalls[N]['request'][]> {
  return panel.page.evaluate(
    (wanted) =>
      (window as unknown as Spied).sent.flatMap((message) =>
        message.type === 'call' && message.name === wanted ? [message.request] : [],
      ),
    name as string,
  ) as Promise<AtlasCalls[N]['request'][]>;
}
