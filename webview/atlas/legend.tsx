/** What the map's colours and marks mean, in numbers. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import { theme } from '../look/theme.js';
import { t } from '../look/strings.js';
import type { Coloured, Mark } from './colouring.js';
import { markShape, unknownShape } from './mapShapes.js';
import { saidScale } from './said.js';
import { draw, type Inks, inkOn, inFile, onScreen, shade, type Shape, widthOf } from './shapes.js';

const [barWidth, barHeight, swatch] = [300, 12, 14];

export function Legend({ coloured }: { readonly coloured: Coloured }) {
  const inks = onScreen(theme.value);
  const { ends, marks } = saidScale(coloured);
  return (
    <div class="mapLegend" role="group" aria-label={t('atlasLegend')}>
      <div class="shades">
        <Swatch shapes={gradient(0, 0, inks)} width={barWidth} height={barHeight} />
        <div class="ends">
          {ends.map((words) => (
            <span key={words}>{words}</span>
          ))}
        </div>
      </div>
      {marks.map(([mark, words]) => (
        <span key={mark} class="entry">
          <Swatch shapes={markSwatch(mark, 0, 0, inks)} width={swatch} height={swatch} />
          {words}
        </span>
      ))}
      <span class="entry">
        <Swatch shapes={unknownSwatch(0, 0, inks)} width={swatch} height={swatch} />
        {t('atlasUnknown')}
      </span>
    </div>
  );
}

/** The same for a file. */
export function legendShapes(coloured: Coloured, x: number, y: number): Shape[] {
  const { ends, marks } = saidScale(coloured);
  const text = (words: string, at: number, down: number, anchor: 'start' | 'middle' | 'end'): Shape => ({
    kind: 'text',
    x: at,
    y: down,
    text: words,
    fill: inFile.foreground,
    anchor,
  });
  const entries = [
    ...marks.map(([mark, words]) => ({ words, shapes: (left: number) => markSwatch(mark, left, y, inFile) })),
    { words: t('atlasUnknown'), shapes: (left: number) => unknownSwatch(left, y, inFile) },
  ];
  // The ends may be wider than the bar.
  const [less, chance, more] = ends;
  const scale = Math.max(barWidth, widthOf(ends.join('')) + 24);
  let left = x + scale + 24;
  return [
    ...gradient(x, y, inFile, scale),
    text(less, x, y + 22, 'start'),
    text(chance, x + scale / 2, y + 22, 'middle'),
    text(more, x + scale, y + 22, 'end'),
    ...entries.flatMap(({ words, shapes }) => {
      const at = left;
      left += swatch + 6 + widthOf(words) + 16;
      return [...shapes(at), text(words, at + swatch + 6, y + swatch / 2, 'start')];
    }),
  ];
}

/** In steps, as colours between them would not be told apart. */
function gradient(x: number, y: number, inks: Inks, width = barWidth): Shape[] {
  const steps = 21;
  return Array.from({ length: steps }, (_, i) => ({
    kind: 'rect',
    x: x + (i * width) / steps,
    y,
    width: width / steps + 0.5,
    height: barHeight,
    fill: shade((2 * i) / (steps - 1) - 1, inks),
  }));
}

function markSwatch(mark: Mark, x: number, y: number, inks: Inks): Shape[] {
  const fill = shade(0, inks);
  return [...frame(x, y, inks), markShape(mark, { x, y, width: swatch, height: swatch }, inkOn(fill))];
}

const unknownSwatch = (x: number, y: number, inks: Inks): Shape[] => [
  ...frame(x, y, inks),
  unknownShape({ x: x + 0.5, y: y + 0.5, width: swatch - 1, height: swatch - 1 }, inks),
];

function frame(x: number, y: number, inks: Inks): Shape[] {
  return [
    { kind: 'rect', x, y, width: swatch, height: swatch, fill: inks.line },
    { kind: 'rect', x: x + 0.5, y: y + 0.5, width: swatch - 1, height: swatch - 1, fill: shade(0, inks) },
  ];
}

function Swatch({
  shapes,
  width,
  height,
}: {
  readonly shapes: readonly Shape[];
  readonly width: number;
  readonly height: number;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    Object.assign(canvas.current!, { width: width * devicePixelRatio, height: height * devicePixelRatio });
    const context = canvas.current!.getContext('2d')!;
    context.scale(devicePixelRatio, devicePixelRatio);
    draw(context, shapes, theme.value.font);
  });
  return <canvas ref={canvas} aria-hidden="true" style={{ width: `${width}px`, height: `${height}px` }} />;
}
