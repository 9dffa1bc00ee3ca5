/** An expert as all views show it: its short label on its colour, and its name. */
import { classOf, shortLabelOf, type Looks } from '../look/looks.js';

interface Props {
  readonly looks: Looks;
  readonly expert: number;
}

export function Badge({ looks, expert }: Props) {
  return (
    <span class={`badge ${classOf(looks.slots[expert]!)}`} aria-hidden="true">
      {shortLabelOf(looks.set, expert)}
    </span>
  );
}

export function ExpertLabel({ looks, expert, name }: Props & { readonly name: string }) {
  return (
    <span class="expert">
      <Badge looks={looks} expert={expert} />
      <span class="name">{name}</span>
    </span>
  );
}
