/** A number on a shade. Many people cannot tell red loss from green gain, so the number has the sign and the shade the size. */

export function HeatText({
  value,
  share,
  text,
}: {
  readonly value: number;
  /** Relative to the strongest shade, 0..1; NaN if it is unknown. */
  readonly share: number;
  readonly text: string;
}) {
  return (
    <span
      class={`heatText ${value < 0 ? 'negative' : 'positive'}`}
      style={{ '--size': `${((share || 0) * 100).toFixed(0)}%` }}
    >
      {text}
    </span>
  );
}
