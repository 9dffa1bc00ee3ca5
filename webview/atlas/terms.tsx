/** What the field's words in a table's head mean, in plain words under it: for keyboards and screen readers, too. */
import { t } from '../look/strings.js';

const titles = {
  lift: 'atlasLift',
  q: 'atlasQ',
  found: 'atlasFound',
  halves: 'atlasHalves',
  cv: 'loadCv',
  effective: 'atlasEffective',
  maxVio: 'loadMaxVio',
  information: 'atlasInformationHeads',
} as const;

export type Term = keyof typeof titles;

export function Terms({ of }: { readonly of: readonly Term[] }) {
  return (
    <dl class="terms">
      {of.map((term) => (
        <div key={term}>
          <dt>{t(titles[term])}</dt> <dd>{t(`atlasTerm_${term}`)}</dd>{' '}
        </div>
      ))}
    </dl>
  );
}
