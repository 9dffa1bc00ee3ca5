/** The choice of a strategy: each says in a line what it does. */
import { strategyHint, strategyTitle } from '../store/strategies.js';
import { useStore } from './context.js';
import { Icon } from './controls.js';
import { Menu } from './menu.js';

interface Props {
  readonly label: string;
  readonly value: string;
  readonly names: readonly string[];
  readonly change: (name: string) => void;
  readonly reason?: string | undefined;
  readonly name: string;
}

export function StrategyMenu({ label, value, names, change, reason, name }: Props) {
  const store = useStore();
  const title = strategyTitle(store, value);
  return (
    <Menu
      label={`${label}: ${title}`}
      face={
        <>
          <span class="choice">{title}</span>
          <Icon name="down" />
        </>
      }
      look="list"
      items={names.map((one) => ({
        label: strategyTitle(store, one),
        detail: strategyHint(store, one),
        isOn: one === value,
        press: () => change(one),
        name: `${name}-${one}`,
      }))}
      reason={reason}
      name={name}
    />
  );
}
