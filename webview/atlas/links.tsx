/** What leads to a unit's page. */
import { unitId } from '../../src/protocol/atlas.js';
import { Button } from '../components/controls.js';
import { t } from '../look/strings.js';
import { nameOf, type Unit } from './model.js';
import { saidUnit } from './said.js';
import { useAtlas } from './store.js';

/** A unit's name with the one that a person gave it: `layer 3, expert 7 “closing brackets”`. */
export function useName(): (unit: Unit) => string {
  const names = useAtlas().names.value;
  return (unit) => {
    const own = nameOf(names, unit.key)?.name;
    return own ? t('atlasNamed', saidUnit(unit), own) : saidUnit(unit);
  };
}

export function UnitLink({ unit }: { readonly unit: Unit }) {
  const store = useAtlas();
  const name = useName();
  return (
    <Button class="link" press={() => store.open(unit.key)} data-focus={`unit-${unitId(unit.key)}`}>
      {name(unit)}
    </Button>
  );
}
