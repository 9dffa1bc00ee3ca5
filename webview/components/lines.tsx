import { fixed } from '../look/strings.js';
import { classes } from './controls.js';
import { scaleOf, type Scale } from '../../src/paper/scale.js';

export interface Line {
  readonly values: ArrayLike<number>;
  readonly class: string;
}

const width = 300;
const height = 110;
const edge = { left: 30, right: 6, top: 6, bottom: 18 };

/** One or more lines over layers or tokens, with a dashed line for chance. */
export function Lines({
  list,
  high = 1,
  reference,
  first = 0,
  selected = -1,
  press,
}: {
  readonly list: readonly Line[];
  readonly high?: number;
  readonly reference?: number;
  /** The number of the first point. */
  readonly first?: number;
  readonly selected?: number;
  readonly press?: (i: number) => void;
}) {
  const count = Math.max(1, ...list.map(({ values }) => values.length));
  const x = scaleOf([first, first + Math.max(1, count - 1)], [edge.left, width - edge.right]);
  const y = scaleOf([0, high], [height - edge.bottom, edge.top]);
  const path = (values: ArrayLike<number>): string => {
    let drawn = '';
    let pen = 'M';
    Array.from(values, (value, i) => {
      const isKnown = Number.isFinite(value);
      if (isKnown) drawn += `${pen}${x.at(first + i)},${y.at(Math.min(high, Math.max(0, value)))}`;
      // Of no length, so that a value between two unknown ones shows as a dot.
      if (isKnown && pen === 'M') drawn += 'h0';
      pen = isKnown ? 'L' : 'M';
    });
    return drawn;
  };
  return (
    <svg
      viewBox={`0 0 ${width} ${height}`}
      class={classes('lines', press && 'pressable')}
      onClick={
        press &&
        (({ currentTarget, clientX }) => {
          const box = currentTarget.getBoundingClientRect();
          const at = Math.round(x.back(((clientX - box.left) / box.width) * width)) - first;
          press(Math.min(count - 1, Math.max(0, at)));
        })
      }
    >
      <Axes x={x} y={y} count={count} />
      {reference !== undefined && (
        <line x1={edge.left} x2={width - edge.right} y1={y.at(reference)} y2={y.at(reference)} class="referenceLine" />
      )}
      {list.map(({ values, class: name }) => (
        <g key={name}>
          <path d={path(values)} class={`line ${name}`} />
          {/* A line of one point has no length. */}
          {values.length === 1 && Number.isFinite(values[0]) && (
            <circle cx={x.at(first)} cy={y.at(values[0]!)} r={3} class={`dot ${name}`} />
          )}
        </g>
      ))}
      {selected >= 0 && selected < count && (
        <line
          x1={x.at(first + selected)}
          x2={x.at(first + selected)}
          y1={edge.top}
          y2={height - edge.bottom}
          class="selectedLine"
        />
      )}
    </svg>
  );
}

function Axes({ x, y, count }: { readonly x: Scale; readonly y: Scale; readonly count: number }) {
  const [left, right] = x.range;
  const [bottom, top] = y.range;
  const digits = y.digits(4);
  return (
    <>
      <g class="axis" text-anchor="middle">
        <path d={`M${left},${bottom + 3}V${bottom}H${right}V${bottom + 3}`} fill="none" />
        {x
          .ticks(Math.min(6, count))
          .filter(Number.isInteger)
          .map((at) => (
            <g key={at} transform={`translate(${x.at(at)},${bottom})`}>
              <line y2={3} />
              <text y={6} dy="0.71em">
                {String(at)}
              </text>
            </g>
          ))}
      </g>
      <g class="axis" text-anchor="end">
        <path d={`M${left - 3},${bottom}H${left}V${top}H${left - 3}`} fill="none" />
        {y.ticks(4).map((at) => (
          <g key={at} transform={`translate(${left},${y.at(at)})`}>
            <line x2={-3} />
            <text x={-6} dy="0.32em">
              {fixed(at, digits)}
            </text>
          </g>
        ))}
      </g>
    </>
  );
}
