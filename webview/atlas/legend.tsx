/** What the map's colours and marks mean, in numbers. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import { inkOn } from '../../src/look/palette.js';
import { theme } from '../look/theme.js';
import { t } from '../look/strings.js';
import type { Coloured, Mark } from './colouring.js';
import { markShape, unknownShape } from './mapShapes.js';
import { saidMarks, saidScale } from './said.js';
import { draw, type Inks, onScreen, shade, type Shape } from './shapes.js';

const [barWidth, barHeight, swatch] = [300, 12, 14];

export function Legend({ coloured }: { readonly coloured: Coloured }) {
  const inks = onScreen(theme.value);
  const [ends, marks] = [saidScale(coloured), saidMarks(coloured)];
  return (
    <div class="mapLegend" role="group" aria-label={t('atlasLegend')}>
      <div class="shades">
        <Swatch shapes={gradient(inks)} width={barWidth} height={barHeight} />
        <div class="ends">
          {ends.map((words) => (
            <span key={words}>{words}</span>
          ))}
        </div>
      </div>
      {marks.map(([mark, words]) => (
        <span key={mark} class="entry">
          <Swatch shapes={markSwatch(mark, inks)} width={swatch} height={swatch} />
          {words}
        </span>
      ))}
      <span class="entry">
        <Swatch shapes={unknownSwatch(inks)} width={swatch} height={swatch} />
        {t('atlasUnknown')}
      </span>
    </div>
  );
}

/** In steps, as colours between them would not be told apart. */
function gradient(inks: Inks): Shape[] {
  const steps = 21;
  return Array.from({ length: steps }, (_, i) => ({
    kind: 'rect',
    x: (i * barWidth) / steps,
    y: 0,
    width: barWidth / steps + 0.5,
    height: barHeight,
    fill: shade((2 * i) / (steps - 1) - 1, inks),
  }));
}

function markSwatch(mark: Mark, inks: Inks): Shape[] {
  const fill = shade(0, inks);
  return [...frame(inks), markShape(mark, { x: 0, y: 0, width: swatch, height: swatch }, inkOn(fill))];
}

const unknownSwatch = (inks: Inks): Shape[] => [
  ...frame(inks),
  unknownShape({ x: 0.5, y: 0.5, width: swatch - 1, height: swatch - 1 }, inks),
];

function frame(inks: Inks): Shape[] {
  return [
    { kind: 'rect', x: 0, y: 0, width: swatch, height: swatch, fill: inks.line },
    { kind: 'rect', x: 0.5, y: 0.5, width: swatch - 1, height: swatch - 1, fill: shade(0, inks) },
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
