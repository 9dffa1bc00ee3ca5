/** Names of scopes, and the list to choose from. */
import { selectionScope, type ScopedRegion, type TextScope } from '../../src/trace/text/scopes.js';
import type { Store } from '../store/store.js';
import type { Item } from '../components/menu.js';
import { t } from '../look/strings.js';
import type { PlainWord } from '../../src/words/words.js';
import { regionsOf } from './regions.js';
import { rangesName } from '../store/whatIfWords.js';

const words: Readonly<Record<string, PlainWord>> = {
  prose: 'regionProse',
  'code fence': 'regionFence',
  markup: 'regionMarkup',
  script: 'regionScript',
  style: 'regionStyle',
  PHP: 'regionPhp',
  Python: 'regionPython',
  SQL: 'regionSql',
  'markdown cell': 'regionMarkdownCell',
  'code cell': 'regionCodeCell',
  'notebook frame': 'regionFrame',
};

function regionName({ name, language, number, count }: ScopedRegion): string {
  const word = words[name];
  const what = language ? t('regionFenceOf', language) : word ? t(word) : name;
  if (number > 0) return t('regionNumber', what, number);
  return count > 1 ? t('regionAll', what, count) : what;
}

export function scopeName(store: Store, { region, ranges, sequence }: TextScope): string {
  return region ? regionName(region) : rangesName(store, ranges, sequence);
}

/** The whole text, the selection, and each region. */
export function itemsOf(store: Store): Item[] {
  const trace = store.main.choices.value;
  const { sequence, token, end = token + 1 } = store.view.selection.value;
  const now = store.view.scope.value;
  const item = (key: string, label: string, reason?: string): Item => ({
    label,
    reason,
    isOn: key === now,
    name: `scope-${key}`,
    press: () => {
      store.set({ scope: key });
      if (key !== '') store.open('summary');
    },
  });
  const selected = selectionScope(sequence, [token, end]);
  return [
    item('', t('scopeWhole')),
    token >= 0
      ? item(selected.key, t('scopeSelection', scopeName(store, selected)))
      : item(selected.key, t('scopeSelectionOf'), t('scopeSelectionNone')),
    ...(trace ? regionsOf(trace, store.main.title.value) : []).map((scope) => item(scope.key, scopeName(store, scope))),
  ];
}
