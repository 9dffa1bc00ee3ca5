/** The grid's twin: the selected token's choices at every module, as a table. */
import { certaintyAt } from '../src/trace/distribution.js';
import type { Trace } from '../src/trace/trace.js';
import { h, replace } from './dom.js';
import { table } from './figure.js';
import { choices } from './grid.js';
import type { Store } from './store.js';
import { fixed, kindName, t } from './strings.js';
import { tokenLabel } from '../src/trace/label.js';

let waiting: ReturnType<typeof setTimeout> | undefined;

export function gridTable(root: HTMLElement, store: Store, trace: Trace | undefined, shown: boolean): void {
  root.classList.toggle('unseen', !shown);
  clearTimeout(waiting);
  // Nobody reads it while the selection runs on.
  if (shown) build(root, store, trace);
  else
    waiting = setTimeout(() => {
      build(root, store, trace);
    }, 400);
}

function build(root: HTMLElement, store: Store, trace: Trace | undefined): void {
  const token = store.tokenOf(trace && trace === store.other ? 'other' : 'main');
  if (!trace || token < 0) {
    replace(root, trace && h('p', { class: 'hint' }, t('gridTableHint')));
    return;
  }
  const name = t('gridTable', tokenLabel(trace, token));
  const rows = trace.modules.map((module, m) => {
    const chosen = choices(trace, { layer: module.layer, module: m, kind: module.kind, modules: [m] }, token);
    return [
      t('layerKind', module.layer, kindName(module.kind)),
      chosen.map(([e, w]) => `${trace.experts[e]!.name} ${fixed(w)}`).join(', ') || t('none'),
      fixed(certaintyAt(trace, m, token).margin),
    ];
  });
  replace(root, h('h3', {}, name), table({ head: [t('module'), t('chosen'), t('margin')], rows }, name));
}
