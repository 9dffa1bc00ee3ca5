/** Controls in a row that are one Tab stop: arrow keys, Home and End go from one to the next. */
import type { ComponentChildren, RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

export function Toolbar({
  label,
  class: name,
  children,
}: {
  readonly label: string;
  readonly class: string;
  readonly children: ComponentChildren;
}) {
  const bar = useRef<HTMLDivElement>(null);
  useOneStop(bar);
  return (
    <div ref={bar} class={name} role="toolbar" aria-label={label}>
      {children}
    </div>
  );
}

function useOneStop(box: RefObject<HTMLElement | null>): void {
  useLayoutEffect(() => {
    const bar = box.current!;
    let last: HTMLElement | undefined;
    const settle = (): void => {
      const all = controlsOf(bar);
      const stop = last && all.includes(last) ? last : all[0];
      for (const one of all) one.tabIndex = one === stop ? 0 : -1;
    };
    const over = new AbortController();
    const { signal } = over;
    bar.addEventListener(
      'focusin',
      ({ target }) => {
        if (controlsOf(bar).includes(target as HTMLElement)) last = target as HTMLElement;
        settle();
      },
      { signal },
    );
    bar.addEventListener(
      'keydown',
      (event) => {
        const to = event.defaultPrevented ? undefined : goal(controlsOf(bar), event);
        if (!to) return;
        event.preventDefault();
        to.focus();
      },
      { signal },
    );
    // Its parts are drawn without it.
    const changes = new MutationObserver(settle);
    changes.observe(bar, { subtree: true, childList: true, attributes: true, attributeFilter: ['disabled', 'hidden'] });
    settle();
    return () => {
      over.abort();
      changes.disconnect();
    };
  }, []);
}

/** Menus and dialogs that open from a toolbar have keys of their own. */
function controlsOf(bar: HTMLElement): HTMLElement[] {
  return [...bar.querySelectorAll<HTMLElement>('button, select:enabled, input:enabled')].filter(
    (one) => !one.closest('[role=menu], [role=dialog]') && one.checkVisibility({ visibilityProperty: true }),
  );
}

function goal(all: readonly HTMLElement[], event: KeyboardEvent): HTMLElement | undefined {
  const { key, target } = event;
  const at = all.indexOf(target as HTMLElement);
  if (at < 0 || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return undefined;
  const isText = target instanceof HTMLInputElement && target.selectionStart !== null;
  if (isText) {
    const { selectionStart, selectionEnd, value } = target;
    const isAtEdge = key === 'ArrowLeft' ? selectionEnd === 0 : selectionStart === value.length;
    if (!isAtEdge) return undefined;
  }
  const last = all.length - 1;
  // In a field, Home and End are about what is typed; in a list, about its options.
  const hasEnds = target instanceof HTMLButtonElement;
  switch (key) {
    case 'ArrowRight':
      return all[(at + 1) % all.length];
    case 'ArrowLeft':
      return all[(at + last) % all.length];
    case 'Home':
      return hasEnds ? all[0] : undefined;
    case 'End':
      return hasEnds ? all[last] : undefined;
    default:
      return undefined;
  }
}
