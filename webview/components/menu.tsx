/** A button that opens a menu: arrow keys, Home, End, Escape; closes when the focus leaves. */
import { Fragment, type ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Button, classes, Icon } from './controls.js';

export interface Item {
  readonly label: string;
  /** A second line: what it is. */
  readonly detail?: string | undefined;
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
  /** How the button looks if it has a face. */
  readonly look?: 'tool' | 'list';
  readonly items: readonly Item[];
  /** Why it cannot be opened. */
  readonly reason?: string | undefined;
  /** Called whenever the menu opens. */
  readonly opened?: () => void;
  readonly name: string;
}

export function Menu({ label, face, look = 'tool', items, reason, opened, name }: Props) {
  const [isOpen, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const rows = () => [...box.current!.querySelectorAll<HTMLElement>('[role^=menuitem]')];
  const opener = () => box.current!.querySelector<HTMLElement>('.opener')!;
  const close = (): void => {
    setOpen(false);
    opener().focus();
  };
  useLayoutEffect(() => {
    list.current!.togglePopover(isOpen);
    if (!isOpen) return;
    opened?.();
    (rows().find((row) => row.ariaChecked === 'true') ?? rows()[0])?.focus();
  }, [isOpen]);
  return (
    <div
      ref={box}
      class="menuBox"
      onKeyDown={(event) => {
        if (!isOpen) {
          if (event.key !== 'ArrowDown' || reason !== undefined) return;
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
        reason={reason}
        class={classes('opener', face !== undefined && look)}
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
      <div ref={list} class="menu" role="menu" aria-label={label} popover="manual">
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

function Entry({ label, detail, press, reason, name, isOn, isChecked }: Item) {
  const id = useId();
  return (
    <button
      type="button"
      role={isOn !== undefined ? 'menuitemradio' : isChecked !== undefined ? 'menuitemcheckbox' : 'menuitem'}
      aria-checked={isOn ?? isChecked}
      {...(detail !== undefined && { 'aria-label': label, 'aria-describedby': id })}
      tabindex={-1}
      aria-disabled={reason !== undefined}
      title={reason}
      data-focus={name}
      onClick={() => {
        if (reason === undefined) press();
      }}
    >
      {label}
      {detail !== undefined && (
        <span id={id} class="itemDetail">
          {detail}
        </span>
      )}
    </button>
  );
}
