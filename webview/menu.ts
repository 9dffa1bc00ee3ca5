/** A button that opens a menu: arrow keys, Home, End, Escape; closes when the focus leaves. */
import { button, h, icon } from './dom.js';

export interface Item {
  readonly label: string;
  readonly press: () => void;
  readonly reason?: string | undefined;
}

export function menu(label: string, items: readonly Item[], focus: string): HTMLElement {
  const list = h('div', { class: 'menu', role: 'menu', 'aria-label': label, hidden: true });
  const close = (back: boolean): void => {
    list.hidden = true;
    opener.setAttribute('aria-expanded', 'false');
    if (back) opener.focus();
  };
  const rows = items.map(({ label: text, press, reason }) =>
    h(
      'button',
      {
        type: 'button',
        role: 'menuitem',
        tabindex: -1,
        'aria-disabled': reason !== undefined,
        title: reason,
        on: {
          click: () => {
            if (reason !== undefined) return;
            close(true);
            press();
          },
        },
      },
      text,
    ),
  );
  list.append(...rows);
  const open = (): void => {
    list.hidden = false;
    opener.setAttribute('aria-expanded', 'true');
    rows[0]?.focus();
  };
  const opener = button(h('span', {}, label, icon('down')), {
    press: () => {
      if (list.hidden) open();
      else close(true);
    },
    class: 'opener',
    'aria-haspopup': 'menu',
    'aria-expanded': 'false',
    'data-focus': focus,
  });
  const box = h('div', { class: 'menuBox' }, opener, list);
  box.addEventListener('keydown', (event) => {
    if (list.hidden) {
      if (event.key === 'ArrowDown') {
        event.preventDefault();
        open();
      }
      return;
    }
    const at = rows.indexOf(document.activeElement as HTMLButtonElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 + rows.length, Home: 0, End: rows.length - 1 }[event.key];
    if (to !== undefined) rows[to % rows.length]?.focus();
    else if (event.key === 'Escape') close(true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  box.addEventListener('focusout', (event) => {
    if (!list.hidden && !box.contains(event.relatedTarget as Node | null)) close(false);
  });
  return box;
}
