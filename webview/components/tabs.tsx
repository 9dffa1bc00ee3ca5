import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Button } from './controls.js';

/** A strip of tabs, one of them in the tab order, and the chosen one's view under it. */
export function Tabs<T extends string>({
  label,
  names,
  title,
  chosen,
  choose,
  children,
}: {
  readonly label: string;
  readonly names: readonly T[];
  readonly title: (name: T) => string;
  readonly chosen: T;
  readonly choose: (name: T) => void;
  readonly children: ComponentChildren;
}) {
  const strip = useRef<HTMLDivElement>(null);
  const body = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    body.current!.scrollTop = 0;
  }, [chosen]);
  return (
    <>
      <div
        ref={strip}
        class="tabs"
        role="tablist"
        aria-label={label}
        onKeyDown={(event) => {
          // The one that has the focus: keys may come faster than frames.
          const at = names.findIndex((name) => (event.target as Element).id === `tab-${name}`);
          const last = names.length - 1;
          const to = { ArrowRight: at + 1, ArrowLeft: at + last, Home: 0, End: last }[event.key];
          if (to === undefined) return;
          event.preventDefault();
          const name = names[to % names.length]!;
          choose(name);
          strip.current!.querySelector<HTMLElement>(`#tab-${name}`)?.focus();
        }}
      >
        {names.map((name) => (
          <Button
            key={name}
            press={() => {
              choose(name);
            }}
            role="tab"
            id={`tab-${name}`}
            class="tab"
            aria-selected={name === chosen}
            aria-controls="tab-body"
            tabindex={name === chosen ? 0 : -1}
            data-focus={`tab-${name}`}
          >
            {title(name)}
          </Button>
        ))}
      </div>
      <div ref={body} class="tabBody" role="tabpanel" id="tab-body" tabindex={0} aria-labelledby={`tab-${chosen}`}>
        {children}
      </div>
    </>
  );
}
