/** A view that few open: its code is fetched when it is first looked at. */
import { signal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { t } from '../look/strings.js';

export function late(load: () => Promise<ComponentType>): ComponentType {
  const view = signal<ComponentType | undefined>(undefined);
  return function Late() {
    useEffect(() => {
      if (!view.peek()) void load().then((loaded) => (view.value = loaded));
    }, []);
    const View = view.value;
    return View ? <View /> : <p class="hint">{t('loading')}</p>;
  };
}
