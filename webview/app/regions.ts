/**
 * A key for each part of the page: digits, because VS Code takes F6, and every key with Ctrl or Alt, for itself. Not while
 * something is typed, or in a list in which a digit finds an option.
 */
import { useEffect } from 'preact/hooks';

/** What each key goes to: of the first of these that is there, the first that can have the focus. */
const regions: Readonly<Record<string, readonly string[]>> = {
  1: ['.head [tabindex="0"]'],
  // Numbers have a scale instead of experts.
  2: ['.legend .chip[tabindex="0"]', '.legend .chip', '.legend [tabindex="0"]'],
  3: ['.tokens', '[data-focus=text-show]'],
  4: ['.plot .cell'],
  5: ['.tabs [tabindex="0"], .tabs select'],
  6: ['#tab-body'],
};

export function useRegions(): void {
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      const { key, target } = event;
      const wanted = regions[key];
      if (wanted === undefined || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
      if (takesDigits(target as Element)) return;
      const found = wanted.flatMap((one) => [...document.querySelectorAll<HTMLElement>(one)]).find(isSeen);
      if (!found) return;
      event.preventDefault();
      found.focus();
      found.scrollIntoView({ block: 'nearest' });
    };
    window.addEventListener('keydown', listen);
    return () => window.removeEventListener('keydown', listen);
  }, []);
}

const isSeen = (one: Element): boolean => one.checkVisibility({ visibilityProperty: true });

function takesDigits(target: Element): boolean {
  if (target instanceof HTMLSelectElement) return [...target.options].some(({ text }) => /^\s*\d/.test(text));
  return target.matches('input:not([type=checkbox]), textarea');
}
