/** What can be saved or copied: everything, or the map as a figure. The host writes the files. */
import { cellLines, tokenLines } from '../../src/trace/exports/csv.js';
import { traceHtml } from '../../src/trace/exports/html.js';
import { traceMarkdown } from '../../src/trace/exports/markdown.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { figureCode } from '../figures/load.js';
import type { GridScene } from '../map/scene.js';
import { strategyTitle } from '../store/strategies.js';

export interface Saver {
  readonly trace: () => void;
  /** One row per token; `cells` has one row per choice. */
  readonly tokens: () => void;
  readonly cells: () => void;
  /** Opens the dialog. */
  readonly figure: () => void;
  readonly html: () => void;
  readonly markdown: () => void;
}

export function saver(scene: GridScene): Saver {
  const { store } = scene;
  const withTrace = (act: (trace: Trace) => void) => () => {
    const trace = store.main.trace.peek();
    if (trace) act(trace);
  };
  return {
    trace: withTrace(() => store.send({ type: 'save', kind: 'trace' })),
    tokens: withTrace((trace) => store.send({ type: 'save', kind: 'csv', data: [...tokenLines(trace)].join('') })),
    cells: withTrace((trace) => store.send({ type: 'save', kind: 'csv', data: [...cellLines(trace)].join('') })),
    figure: withTrace(() => {
      store.toSave.value = 'map';
    }),
    html: withTrace((trace) => {
      void figureCode.want().then(({ reportFigure }) => {
        const strategy = strategyTitle(store, store.main.choices.peek()?.router.name);
        store.send({ type: 'save', kind: 'html', data: traceHtml(trace, { ...reportFigure(scene), strategy }) });
      });
    }),
    markdown: withTrace((trace) => store.send({ type: 'copy', text: traceMarkdown(trace) })),
  };
}
