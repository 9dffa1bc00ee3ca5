/** What can be taken away. Files are written by the host. */
import { toCsv } from '../src/trace/csv.js';
import { traceHtml } from '../src/trace/html.js';
import { traceMarkdown } from '../src/trace/markdown.js';
import type { Trace } from '../src/trace/trace.js';
import type { Grid } from './grid.js';
import { pngOf, svgOf } from './picture.js';
import type { Frame, Paper } from './gridPaint.js';
import type { Store } from './store.js';
import { strategyName } from './strings.js';

export interface Saver {
  readonly trace: () => void;
  readonly csv: () => void;
  readonly svg: () => void;
  readonly png: () => void;
  readonly html: () => void;
  readonly markdown: () => void;
}

export function saver(store: Store, grid: () => Grid): Saver {
  const withTrace = (act: (trace: Trace) => void) => () => {
    if (store.main) act(store.main);
  };
  /** What the grid shows: the other run's picture has the other run's name. */
  const seen = (): { title: string; trace: Trace; paper: Paper; frame: Frame } | undefined => {
    const [paper, frame] = [grid().paper(), grid().frame()];
    const side = store.sides[store.gridSource === 'other' ? 'other' : 'main'];
    return side?.trace && paper && frame
      ? { title: `${side.title} · ${strategyName(side.strategy.name)}`, trace: side.trace, paper, frame }
      : undefined;
  };
  const drawn = (): string | undefined => {
    const now = seen();
    return now && svgOf(now.title, now.trace, now.paper, now.frame);
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
      pngOf(now.title, now.trace, now.paper, now.frame).then(
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
