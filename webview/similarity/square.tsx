/** Experts × experts. The chart is its own table: its cells contain the numbers as long as there is room. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import { slotsOf } from '../../src/look/palette.js';
import { shortLabelsOf } from '../../src/look/shortLabels.js';
import type { HeatPlot } from '../../src/paper/plot.js';
import type { Expert } from '../../src/trace/model/trace.js';
import { HeatText } from '../components/heatText.js';
import { ScrollBox } from '../components/table.js';
import { fixed, t } from '../look/strings.js';
import { channels, theme } from '../look/theme.js';
import { say } from '../saving/strings.js';

interface Props {
  readonly experts: readonly Expert[];
  /** [N, N] */
  readonly plane: Float32Array;
  readonly caption: string;
}

/** How strong the strongest shade is: a number on it can still be read. */
const strongest = 0.85;

/** With more experts than this, there is no room for numbers. */
const mostCells = 40;

export function Square(props: Props) {
  return props.experts.length > mostCells ? <Picture {...props} /> : <Cells {...props} />;
}

/** An unknown value is not 0. */
export const cosine = (x: number): string => (Number.isNaN(x) ? '–' : fixed(x, 3));

/** The largest absolute cosine of two different experts: shades are relative to it, because each expert has 1 with itself. */
const highestOf = (plane: Float32Array, n: number): number =>
  plane.reduce((most, x, i) => (i % (n + 1) !== 0 && Math.abs(x) > most ? Math.abs(x) : most), 0) || 1;

/** The same as data. What each expert has with itself says nothing, and is left out. */
export function squarePlot(experts: readonly Expert[], plane: Float32Array): HeatPlot {
  const n = experts.length;
  const [shortLabels, slots] = [shortLabelsOf(experts), slotsOf(n, [])];
  const all = experts.map(({ name }, e) => ({ name, shortLabel: shortLabels[e]!, slot: slots[e]! }));
  return {
    kind: 'heat',
    rowTitle: t('expert'),
    rows: all,
    columnTitle: t('expert'),
    columns: all,
    value: { title: say('cosine') },
    values: all.map((_, i) => Float32Array.from(all, (_, j) => (i === j ? NaN : plane[i * n + j]!))),
  };
}

function Cells({ experts, plane, caption }: Props) {
  const n = experts.length;
  const shortLabels = shortLabelsOf(experts);
  const highest = highestOf(plane, n);
  return (
    <ScrollBox label={caption}>
      <table class="square">
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            <td />
            {experts.map(({ id, name }, i) => (
              <th key={id} scope="col" title={name} aria-label={name}>
                {shortLabels[i]}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {experts.map(({ id, name }, i) => (
            <tr key={id}>
              <th scope="row">{name}</th>
              {experts.map((other, j) => {
                const x = plane[i * n + j]!;
                return (
                  <td key={other.id} title={t('pairOf', name, other.name, cosine(x))}>
                    <HeatText value={x} share={i === j ? 0 : (strongest * Math.abs(x)) / highest} text={fixed(x, 2)} />
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollBox>
  );
}

/** One pixel per pair. The list of pairs says the same as a table. */
function Picture({ experts, plane, caption }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const n = experts.length;
  const colours = theme.value;
  useLayoutEffect(() => {
    const context = canvas.current!.getContext('2d')!;
    const image = context.createImageData(n, n);
    const highest = highestOf(plane, n);
    const [back, more, less] = [colours.background, colours.gain, colours.difference].map(channels);
    plane.forEach((x, i) => {
      const share = Number.isNaN(x) ? 0 : Math.min(1, Math.abs(x) / highest);
      for (let c = 0; c < 3; c++) image.data[i * 4 + c] = back![c]! + ((x < 0 ? less : more)![c]! - back![c]!) * share;
      image.data[i * 4 + 3] = 255;
    });
    context.putImageData(image, 0, 0);
  }, [plane, n, colours]);
  return (
    <canvas
      ref={canvas}
      class="squarePicture"
      role="img"
      aria-label={caption}
      width={n}
      height={n}
      onPointerMove={({ currentTarget, offsetX, offsetY }) => {
        const [j, i] = [offsetX / currentTarget.clientWidth, offsetY / currentTarget.clientHeight].map((share) =>
          Math.min(n - 1, Math.max(0, Math.floor(share * n))),
        ) as [number, number];
        const x = plane[i * n + j]!;
        currentTarget.title = t('pairOf', experts[i]!.name, experts[j]!.name, cosine(x));
      }}
    />
  );
}
