/** A number on a shade: red-ish loss and green-ish gain would be lost on many, so the sign is in the number, the size in the shade. */

export function HeatText({
  value,
  share,
  text,
}: {
  readonly value: number;
  /** Of the strongest shade, 0..1; none where it is not known. */
  readonly share: number;
  readonly text: string;
}) {
  return (
    <span
      class={`heatText ${value < 0 ? 'owes' : 'gains'}`}
      style={{ '--size': `${((share || 0) * 100).toFixed(0)}%` }}
    >
      {text}
    </span>
  );
}
