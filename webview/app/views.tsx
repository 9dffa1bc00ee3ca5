import type { ComponentType } from 'preact';
import { useLayoutEffect } from 'preact/hooks';
import { useStore } from '../components/context.js';
import { WhenHere } from '../components/lazy.js';
import { Tabs } from '../components/tabs.js';
import { t } from '../look/strings.js';
import { lazy } from '../store/lazy.js';
import type { Tab } from '../store/state.js';
import { Compare } from '../tabs/compare/compare.js';
import { Detail } from '../tabs/detail/detail.js';
import { Predictions } from '../tabs/predictions/predictions.js';
import { Summary } from '../tabs/summary/summary.js';
import { WhatIf } from '../tabs/whatIf/whatIf.js';
import { useResultInView } from './inView.js';

const lens = lazy(() => import('../tabs/lens/lens.js'));

/** The views beside the map, in the order of their tabs. */
export const views: Readonly<Record<Tab, ComponentType>> = {
  cell: Detail,
  summary: Summary,
  predictions: Predictions,
  whatIf: WhatIf,
  lens: () => (
    <WhenHere of={lens} show={({ LensView }) => <LensView />} meanwhile={<p class="hint">{t('loading')}</p>} />
  ),
  compare: Compare,
};

/** A tab for each, and the chosen one. */
export function Views() {
  const store = useStore();
  const tab = store.view.tab.value;
  const View = views[tab];
  const opened = store.opened.value;
  useResultInView();
  useLayoutEffect(() => {
    if (opened === undefined) return;
    store.opened.value = undefined;
    document.getElementById('tab-body')!.focus({ preventScroll: true });
    document.querySelector('.tabs')!.scrollIntoView({ block: 'nearest' });
  }, [opened]);
  return (
    <Tabs
      label={t('tabs')}
      names={Object.keys(views) as Tab[]}
      title={(name) => t(`tab_${name}`)}
      chosen={tab}
      choose={(name) => store.set({ tab: name })}
    >
      {store.main.choices.value && <View />}
    </Tabs>
  );
}
