/** Rows × experts, shaded by value. A few are drawn as cells that show their value on hovering, many as one image. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import { max, range } from 'd3-array';
import type { HeatPlot, Quantity } from '../../src/paper/plot.js';
import { classOf, named, shortLabelOf, type Looks } from '../look/looks.js';
import { plainName } from '../look/names.js';
import { t } from '../look/strings.js';
import { channels, colourOf, theme } from '../look/theme.js';

interface HeatData {
  readonly values: readonly ArrayLike<number>[];
  readonly rowLabels: readonly string[];
  readonly looks: Looks;
  /** The rows are the same experts as the columns. */
  readonly rowExperts?: boolean;
}

interface Props extends HeatData {
  readonly text: (value: number) => string;
  readonly cellHeight: number;
}

/** The same as data. @param value what the shades measure */
export function heatPlot({ values, rowLabels, looks, rowExperts }: HeatData, value: Quantity): HeatPlot {
  const columns = looks.set.experts.map((_, e) => named(looks, e));
  return {
    kind: 'heat',
    rowTitle: t(rowExperts ? 'expert' : 'layerHead'),
    rows: rowExperts ? columns : rowLabels,
    columnTitle: t('expert'),
    columns,
    value,
    values,
  };
}

const [width, left, top] = [300, 30, 18];
/** How wide a letter of a short label can be, at the font size in heat.css. */
const unitsOfLetter = 6.5;
/** More columns than this leave no room for a letter each. */
const mostCells = 22;

export function Heat(props: Props) {
  return props.looks.set.experts.length > mostCells ? <HeatImage {...props} /> : <HeatCells {...props} />;
}

function highestOf(values: readonly ArrayLike<number>[]): number {
  return (max(values, (row) => max(Array.from(row))) ?? 0) || 1;
}

function strengthOf(value: number, highest: number): number {
  return 0.04 + 0.96 * (Number.isFinite(value) ? Math.min(1, Math.max(0, value / highest)) : 0);
}

const cellTitle = (row: string, looks: Looks, column: number, text: string) =>
  `${row} · ${plainName(looks.set, column)}: ${text}`;

function HeatCells({ values, rowLabels, looks, text, cellHeight, rowExperts = false }: Props) {
  const { experts } = looks.set;
  const cell = (width - left) / experts.length;
  const every = Math.max(1, Math.ceil(9 / cellHeight));
  const highest = highestOf(values);
  return (
    <svg viewBox={`0 0 ${width} ${top + values.length * cellHeight + 2}`} class="heat">
      {experts.map(({ id }, e) => (
        <Letter key={id} looks={looks} expert={e} x={left + (e + 0.5) * cell} y={9} room={cell - 3} />
      ))}
      {rowLabels.map((label, r) => {
        const y = top + (r + 0.5) * cellHeight;
        if (rowExperts) return <Letter key={label} looks={looks} expert={r} x={left - 13} y={y} room={24} />;
        return (
          r % every === 0 && (
            <text key={label} x={left - 5} y={y} class="axisText" text-anchor="end" dominant-baseline="central">
              {label}
            </text>
          )
        );
      })}
      {values.flatMap((row, r) =>
        Array.from(row, (value, c) => (
          <rect
            key={`${r} ${c}`}
            x={left + c * cell + 0.5}
            y={top + r * cellHeight + 0.5}
            width={cell - 1}
            height={cellHeight - 1}
            class={`${classOf(looks.slots[c]!)} heatCell`}
            fill-opacity={strengthOf(value, highest).toFixed(3)}
          >
            <title>{cellTitle(rowLabels[r]!, looks, c, text(value))}</title>
          </rect>
        )),
      )}
    </svg>
  );
}

interface LetterProps {
  readonly looks: Looks;
  readonly expert: number;
  readonly x: number;
  readonly y: number;
  /** Units that the box may be wide. */
  readonly room: number;
}

/** An expert's short label in its colour, squeezed if it is too wide. */
function Letter({ looks, expert, x, y, room }: LetterProps) {
  const shortLabel = shortLabelOf(looks.set, expert);
  const needed = Math.max(12, 4 + shortLabel.length * unitsOfLetter);
  const wide = Math.min(needed, room);
  return (
    <g class={classOf(looks.slots[expert]!)}>
      <title>{plainName(looks.set, expert)}</title>
      <rect x={x - wide / 2} y={y - 6} width={wide} height={12} rx={2} class="letterBox" />
      <text
        x={x}
        y={y + 0.5}
        class="letter"
        text-anchor="middle"
        dominant-baseline="central"
        {...(needed > wide && shortLabel.length > 1 && { textLength: wide - 2, lengthAdjust: 'spacingAndGlyphs' })}
      >
        {shortLabel}
      </text>
    </g>
  );
}

/** One pixel per value, scaled up; the axes are numbered by expert. */
function HeatImage({ values, rowLabels, looks, text, cellHeight, rowExperts = false }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const colours = theme.value;
  const columns = looks.set.experts.length;
  const cell = (width - left) / columns;
  const rowHeight = rowExperts ? cell : cellHeight;
  const high = values.length * rowHeight;
  useLayoutEffect(() => {
    const context = canvas.current!.getContext('2d')!;
    const image = context.createImageData(columns, values.length);
    const highest = highestOf(values);
    const back = channels(colours.background);
    const fills = Array.from(looks.slots, (slot) => channels(colourOf(slot, colours).fill));
    values.forEach((row, r) => {
      for (let c = 0; c < columns; c++) {
        const share = strengthOf(row[c]!, highest);
        for (let i = 0; i < 3; i++)
          image.data[(r * columns + c) * 4 + i] = back[i]! + (fills[c]![i]! - back[i]!) * share;
        image.data[(r * columns + c) * 4 + 3] = 255;
      }
    });
    context.putImageData(image, 0, 0);
  }, [values, looks, colours]);
  const step = 2 ** Math.ceil(Math.log2(columns / 8));
  const ticks = range(0, columns, step);
  const every = Math.max(1, Math.ceil(9 / rowHeight));
  const rows = rowExperts ? ticks : rowLabels.map((_, r) => r).filter((r) => r % every === 0);
  // The title follows the pointer, because a pixel has no element of its own.
  const say = ({
    currentTarget,
    offsetX,
    offsetY,
  }: MouseEvent & { readonly currentTarget: HTMLCanvasElement }): void => {
    const [c, r] = [
      Math.floor((offsetX / currentTarget.clientWidth) * columns),
      Math.floor((offsetY / currentTarget.clientHeight) * values.length),
    ];
    const value = values[r]?.[c];
    currentTarget.title = value === undefined ? '' : cellTitle(rowLabels[r]!, looks, c, text(value));
  };
  return (
    <div class="heatImage">
      <svg viewBox={`0 0 ${width} ${top + high + 2}`} class="heat">
        {ticks.map((e) => (
          <text key={e} x={left + (e + 0.5) * cell} y={11} class="axisText" text-anchor="middle">
            {shortLabelOf(looks.set, e)}
          </text>
        ))}
        {rows.map((r) => (
          <text
            key={r}
            x={left - 5}
            y={top + (r + 0.5) * rowHeight}
            class="axisText"
            text-anchor="end"
            dominant-baseline="central"
          >
            {rowExperts ? shortLabelOf(looks.set, r) : rowLabels[r]}
          </text>
        ))}
      </svg>
      <canvas
        ref={canvas}
        onPointerMove={say}
        width={columns}
        height={Math.max(1, values.length)}
        style={{
          left: `${(left / width) * 100}%`,
          top: `${(top / (top + high + 2)) * 100}%`,
          width: `${((width - left) / width) * 100}%`,
          height: `${(high / (top + high + 2)) * 100}%`,
        }}
      />
    </div>
  );
}
