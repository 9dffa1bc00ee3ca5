/** An expert as all views show it: its short label on its colour, and its name; and the choice of one. */
import { classOf, shortLabelOf, type Looks } from '../look/looks.js';
import { sortedByName } from '../look/strings.js';
import { Select, type SelectProps } from './controls.js';

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

/** A menu of experts, in the order of their names: a trace has them in that of their ids, which are not seen here. */
export function ExpertSelect({ options, ...rest }: SelectProps) {
  return <Select options={sortedByName(options, ([, name]) => name)} {...rest} />;
}
