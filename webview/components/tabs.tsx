import type { ComponentChildren, RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { isNarrow } from '../look/room.js';
import { Button, Select } from './controls.js';

interface Choice<T extends string> {
  readonly label: string;
  readonly names: readonly T[];
  readonly title: (name: T) => string;
  readonly chosen: T;
  readonly choose: (name: T) => void;
}

/** A choice of views, with the chosen one below it. */
export function Tabs<T extends string>({ children, ...choice }: Choice<T> & { readonly children: ComponentChildren }) {
  const strip = useRef<HTMLDivElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const { chosen } = choice;
  const isSelect = isNarrow.value;
  useLayoutEffect(() => {
    body.current!.scrollTop = 0;
    // Otherwise a view that scrolls with the page would open somewhere in its middle. At the page's top the map is in view, too.
    const section = strip.current!.parentElement!;
    if (strip.current!.getBoundingClientRect().top > section.getBoundingClientRect().top + 1)
      section.closest('.page')!.scrollTop = 0;
  }, [chosen]);
  return (
    <>
      {isSelect ? <Chooser {...choice} strip={strip} /> : <Strip {...choice} strip={strip} />}
      <div
        ref={body}
        class="tabBody"
        id="tab-body"
        tabindex={0}
        {...(isSelect
          ? { role: 'region', 'aria-label': choice.title(chosen) }
          : { role: 'tabpanel', 'aria-labelledby': `tab-${chosen}` })}
      >
        {children}
      </div>
    </>
  );
}

type Parts<T extends string> = Choice<T> & { readonly strip: RefObject<HTMLDivElement | null> };

/** Used where there is no room for a strip. */
function Chooser<T extends string>({ label, names, title, chosen, choose, strip }: Parts<T>) {
  return (
    <div ref={strip} class="tabs">
      <Select
        label={label}
        value={chosen}
        options={names.map((name) => [name, title(name)])}
        change={(value) => choose(value as T)}
        data-focus="tabs"
      />
    </div>
  );
}

/** One tab is in the tab order; arrow keys reach the others. */
function Strip<T extends string>({ label, names, title, chosen, choose, strip }: Parts<T>) {
  return (
    <div
      ref={strip}
      class="tabs"
      role="tablist"
      aria-label={label}
      onKeyDown={(event) => {
        // The tab that has the focus, not the chosen one: keys may come faster than frames.
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
          press={() => choose(name)}
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
  );
}
