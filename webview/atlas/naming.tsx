/** A unit's own name and note, which a person writes. Gander offers a label that passed the test, and invents nothing. */
import { useSignal } from '@preact/signals';
import { useState } from 'preact/hooks';
import type { OwnName } from '../../src/atlas/protocol.js';
import { Button } from '../components/controls.js';
import { t } from '../look/strings.js';
import { foundLabel, type Unit } from './model.js';
import { useAtlas } from './store.js';

export function Naming({ unit, own }: { readonly unit: Unit; readonly own: OwnName | undefined }) {
  const store = useAtlas();
  // Signals, because keys may come faster than frames.
  const name = useSignal(own?.name ?? '');
  const note = useSignal(own?.note ?? '');
  const [said, say] = useState('');
  const label = foundLabel(unit);
  const save = async (): Promise<void> => {
    say('');
    if (await store.name({ ...unit.key, name: name.peek().trim(), note: note.peek().trim() })) say(t('atlasNameKept'));
  };
  return (
    <section class="naming" aria-label={t('atlasNaming')}>
      <h3>{t('atlasNaming')}</h3>
      <label>
        {t('atlasName')}
        <input
          type="text"
          value={name.value}
          maxLength={80}
          onInput={({ currentTarget }) => (name.value = currentTarget.value)}
          onKeyDown={({ key }) => {
            if (key === 'Enter') void save();
          }}
          data-focus="name"
        />
      </label>
      {label !== '' && label !== name.value && (
        <p>
          <Button class="link" press={() => (name.value = label)} data-focus="name-offer">
            {t('atlasNameOffer', label)}
          </Button>
        </p>
      )}
      <label>
        {t('atlasNote')}
        <textarea
          rows={2}
          value={note.value}
          onInput={({ currentTarget }) => (note.value = currentTarget.value)}
          data-focus="note"
        />
      </label>
      <p class="formRow">
        <Button press={() => void save()} data-focus="name-save">
          {t('atlasNameSave')}
        </Button>
        <span role="status">{said}</span>
      </p>
    </section>
  );
}
