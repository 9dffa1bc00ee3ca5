/** The scope, the part of the text to look at: a menu to choose it, and a chip that shows it. */
import { useStore } from '../components/context.js';
import { Chip, Chips } from '../components/chips.js';
import { Icon } from '../components/controls.js';
import { Menu, type Item } from '../components/menu.js';
import { t } from '../look/strings.js';
import type { Store } from '../store/store.js';
import { scopeCode } from './load.js';

/** The parts that can be chosen: only the whole text until the code that finds them is loaded. */
export const scopeItems = (store: Store): readonly Item[] =>
  scopeCode.code.value?.itemsOf(store) ?? [{ label: t('scopeWhole'), press: () => store.set({ scope: '' }) }];

export function ScopeMenu() {
  const store = useStore();
  return (
    <Menu
      label={t('scope')}
      face={<Icon name="scope" />}
      items={scopeItems(store)}
      opened={() => void scopeCode.want()}
      name="grid-scope"
    />
  );
}

export function ScopeChip() {
  const store = useStore();
  const scope = store.scope.value;
  if (!scope) return null;
  const name = scopeCode.code.value!.scopeName(store, scope);
  return (
    <Chips label={t('scope')} now={t('scopeNow')}>
      <Chip
        words={name}
        label={t('scopeLeave', name)}
        press={() => store.set({ scope: '' })}
        data-focus="scope-leave"
      />
    </Chips>
  );
}
