/** What can be taken away. Files are written by the host. */
import { toCsv } from '../../src/trace/csv.js';
import { traceHtml } from '../../src/trace/html.js';
import { traceMarkdown } from '../../src/trace/markdown.js';
import type { Trace } from '../../src/trace/trace.js';
import { pngOf, svgOf, type Seen } from '../grid/picture.js';
import type { GridScene } from '../grid/scene.js';
import { strategyTitle } from './strategy.js';

export interface Saver {
  readonly trace: () => void;
  readonly csv: () => void;
  readonly svg: () => void;
  readonly png: () => void;
  readonly html: () => void;
  readonly markdown: () => void;
}

export function saver(scene: GridScene): Saver {
  const { store } = scene;
  const withTrace = (act: (trace: Trace) => void) => () => {
    const trace = store.main.trace.peek();
    if (trace) act(trace);
  };
  /** What the grid shows: the other run's picture has the other run's name. */
  const seen = (): Seen | undefined => {
    const [paper, frame] = [scene.paper.peek(), scene.frame()];
    const { title, strategy, sight } = store.side(scene.side.peek());
    if (!paper || !frame) return undefined;
    const parts = [title.peek(), strategyTitle(store, strategy.peek()?.name)];
    return { title: parts.filter(Boolean).join(' · '), set: sight.peek()?.set, paper, frame };
  };
  const drawn = (): string | undefined => {
    const now = seen();
    return now && svgOf(now);
  };
  return {
    trace: withTrace(() => {
      store.send({ type: 'save', kind: 'trace' });
    }),
    csv: withTrace((trace) => {
      store.send({ type: 'save', kind: 'csv', data: toCsv(trace) });
    }),
    html: withTrace((trace) => {
      store.send({ type: 'save', kind: 'html', data: traceHtml(trace, drawn()) });
    }),
    markdown: withTrace((trace) => {
      store.send({ type: 'copy', text: traceMarkdown(trace) });
    }),
    svg: () => {
      const data = drawn();
      if (data !== undefined) store.send({ type: 'save', kind: 'svg', data });
    },
    png: () => {
      const now = seen();
      if (!now) return;
      pngOf(now).then(
        (data) => {
          store.send({ type: 'save', kind: 'png', data });
        },
        (thrown: unknown) => {
          store.send({ type: 'log', level: 'error', text: String(thrown) });
        },
      );
    },
  };
}
