/**
 * A key for each part of the page: digits, because VS Code takes F6, and every key with Ctrl or Alt, for itself. Not while
 * something is typed or chosen.
 */
import { useEffect } from 'preact/hooks';

/** What each key goes to: the first that can have the focus. */
const regions: Readonly<Record<string, string>> = {
  1: '.head [tabindex="0"]',
  2: '.legend [tabindex="0"]',
  3: '.tokens',
  4: '.plot .cell',
  5: '.tabs [tabindex="0"], .tabs select',
  6: '#tab-body',
};

export function useRegions(): void {
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      const { key, target } = event;
      const wanted = regions[key];
      if (wanted === undefined || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
      if ((target as Element).matches('input, select, textarea')) return;
      const found = [...document.querySelectorAll<HTMLElement>(wanted)].find((one) => one.checkVisibility());
      if (!found) return;
      event.preventDefault();
      found.focus();
      found.scrollIntoView({ block: 'nearest' });
    };
    window.addEventListener('keydown', listen);
    return () => window.removeEventListener('keydown', listen);
  }, []);
}
