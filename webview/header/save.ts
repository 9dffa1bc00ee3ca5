/** What can be saved or copied: everything, or the picture as it is seen. The host writes the files. */
import { cellLines, tokenLines } from '../../src/trace/exports/csv.js';
import { traceHtml } from '../../src/trace/exports/html.js';
import { traceMarkdown } from '../../src/trace/exports/markdown.js';
import type { Trace } from '../../src/trace/model/trace.js';
import type { Store } from '../store/store.js';
import { wholeFrame } from '../map/geometry.js';
import { extentOf } from '../map/paint.js';
import { pngOf, svgOf, type Picture } from '../map/picture.js';
import type { GridScene } from '../map/scene.js';
import { t } from '../look/strings.js';
import { strategyTitle } from '../store/strategies.js';

export interface Saver {
  readonly trace: () => void;
  /** One row per token; `cells` has one row per choice. */
  readonly tokens: () => void;
  readonly cells: () => void;
  readonly svg: (part: Part) => void;
  readonly png: (part: Part) => void;
  readonly html: (part: Part) => void;
  readonly markdown: () => void;
}

export type Part = 'whole' | 'seen';

export function saver(scene: GridScene): Saver {
  const { store } = scene;
  const withTrace = (act: (trace: Trace) => void) => () => {
    const trace = store.main.trace.peek();
    if (trace) act(trace);
  };
  const svg = (part: Part): string | undefined => {
    const picture = pictureOf(scene, part);
    return picture && svgOf(picture);
  };
  return {
    trace: withTrace(() => store.send({ type: 'save', kind: 'trace' })),
    tokens: withTrace((trace) => store.send({ type: 'save', kind: 'csv', data: [...tokenLines(trace)].join('') })),
    cells: withTrace((trace) => store.send({ type: 'save', kind: 'csv', data: [...cellLines(trace)].join('') })),
    html: (part) => {
      const [trace, drawn] = [store.main.trace.peek(), svg(part)];
      if (trace && drawn !== undefined)
        store.send({ type: 'save', kind: 'html', data: traceHtml(trace, drawnFor(store, drawn, part)) });
    },
    markdown: withTrace((trace) => store.send({ type: 'copy', text: traceMarkdown(trace) })),
    svg: (part) => {
      const data = svg(part);
      if (data !== undefined) store.send({ type: 'save', kind: 'svg', data });
    },
    png: (part) => {
      const picture = pictureOf(scene, part);
      if (picture) savePng(store, picture);
    },
  };
}

/** What the map shows; a picture of the other run has that run's title. */
function pictureOf(scene: GridScene, part: Part): Picture | undefined {
  const content = part === 'whole' ? scene.whole() : scene.content.peek();
  const seen = scene.frame();
  const trace = scene.trace.peek();
  const frame =
    part === 'whole'
      ? content && wholeFrame(extentOf(content.raster))
      : seen && { ...seen, ratio: Math.max(2, seen.ratio) };
  if (!content || !frame || !trace) return undefined;
  const { title, shownExperts } = scene.store.side(scene.side.peek());
  const parts = [title.peek(), strategyTitle(scene.store, trace.router.name)];
  return { title: parts.filter(Boolean).join(' · '), trace, set: shownExperts.peek()?.set, content, frame };
}

function drawnFor(store: Store, svg: string, part: Part) {
  const caption = t(part === 'whole' ? 'pictureWhole' : 'pictureSeen');
  return { svg, caption, strategy: strategyTitle(store, store.main.choices.peek()?.router.name) };
}

function savePng(store: Store, picture: Picture): void {
  pngOf(picture).then(
    (data) => store.send({ type: 'save', kind: 'png', data }),
    (thrown: unknown) => store.send({ type: 'log', level: 'error', text: String(thrown) }),
  );
}
