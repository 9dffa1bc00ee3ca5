/** A button that opens a menu: arrow keys, Home, End, Escape; closes when the focus leaves. */
import { Fragment, type ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Button, classes, Icon } from './controls.js';

export interface Item {
  readonly label: string;
  readonly press: () => void;
  readonly reason?: string | undefined;
  /** Name of its control (`data-focus`). */
  readonly name?: string;
  /** If it is one of several choices: whether it is the current one. */
  readonly isOn?: boolean;
  /** If it is switched on and off: whether it is on. */
  readonly isChecked?: boolean;
  /** Written above it: what it and those after it are about. */
  readonly heading?: string;
}

export function underHeading(heading: string, [first, ...others]: readonly Item[]): Item[] {
  return first ? [{ ...first, heading }, ...others] : [];
}

interface Props {
  readonly label: string;
  /** What the button shows instead of its label. */
  readonly face?: ComponentChildren;
  readonly items: readonly Item[];
  /** Called whenever the menu opens. */
  readonly opened?: () => void;
  readonly name: string;
}

export function Menu({ label, face, items, opened, name }: Props) {
  const [isOpen, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const rows = () => [...box.current!.querySelectorAll<HTMLElement>('[role^=menuitem]')];
  const opener = () => box.current!.querySelector<HTMLElement>('.opener')!;
  const close = (): void => {
    setOpen(false);
    opener().focus();
  };
  useLayoutEffect(() => {
    if (!isOpen) return;
    opened?.();
    rows()[0]?.focus();
  }, [isOpen]);
  return (
    <div
      ref={box}
      class="menuBox"
      onKeyDown={(event) => {
        if (!isOpen) {
          if (event.key !== 'ArrowDown') return;
          event.preventDefault();
          setOpen(true);
          return;
        }
        const all = rows();
        const at = all.indexOf(document.activeElement as HTMLElement);
        const to = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 }[event.key];
        if (to !== undefined) all[to % all.length]?.focus();
        else if (event.key === 'Escape') close();
        else return;
        event.preventDefault();
        event.stopPropagation();
      }}
      onFocusOut={(event) => {
        if (isOpen && !box.current!.contains(event.relatedTarget as Node | null)) setOpen(false);
      }}
    >
      <Button
        press={() => {
          if (isOpen) close();
          else setOpen(true);
        }}
        class={classes('opener', face !== undefined && 'tool')}
        {...(face !== undefined && { title: label, 'aria-label': label })}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        data-focus={name}
      >
        {face ?? (
          <span>
            {label}
            <Icon name="down" />
          </span>
        )}
      </Button>
      <div class="menu" role="menu" aria-label={label} hidden={!isOpen}>
        {items.map((item) => (
          <Fragment key={`${item.name ?? ''} ${item.label}`}>
            {item.heading !== undefined && (
              <div role="separator" aria-label={item.heading}>
                {item.heading}
              </div>
            )}
            <Entry
              {...item}
              press={() => {
                close();
                item.press();
              }}
            />
          </Fragment>
        ))}
      </div>
    </div>
  );
}

function Entry({ label, press, reason, name, isOn, isChecked }: Item) {
  return (
    <button
      type="button"
      role={isOn !== undefined ? 'menuitemradio' : isChecked !== undefined ? 'menuitemcheckbox' : 'menuitem'}
      aria-checked={isOn ?? isChecked}
      tabindex={-1}
      aria-disabled={reason !== undefined}
      title={reason}
      data-focus={name}
      onClick={() => {
        if (reason === undefined) press();
      }}
    >
      {label}
    </button>
  );
}
