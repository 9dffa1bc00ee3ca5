/** Buttons and fields: the browser's own, in the editor's colours. `data-focus` is a control's name. */
import type { ButtonHTMLAttributes, ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

export function classes(...names: readonly (string | false | undefined)[]): string {
  return names.filter(Boolean).join(' ');
}

type Attributes = Omit<ButtonHTMLAttributes, 'onClick' | 'class' | 'title' | 'label'>;

export interface ButtonProps extends Attributes {
  readonly 'data-focus'?: string;
  readonly press: () => void;
  readonly class?: string;
  readonly title?: string | undefined;
  readonly primary?: boolean;
  /** Why it cannot be used; if given, the button is disabled and shows the reason. */
  readonly reason?: string | undefined;
  readonly children?: ComponentChildren;
}

export function Button({ press, primary, reason, class: name, title, children, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      class={classes('button', primary && 'primary', name)}
      // Not `disabled`: keyboard and pointer can still reach the reason.
      {...(reason !== undefined && { 'aria-disabled': 'true' })}
      title={reason ?? title}
      onClick={() => {
        if (reason === undefined) press();
      }}
    >
      {children}
    </button>
  );
}

/** A button with an icon: its label is read out, and shown on hovering. */
export function Tool({ label, icon, class: name, ...props }: ButtonProps & { label: string; icon: IconName }) {
  return (
    <Button class={classes('tool', name)} aria-label={label} title={label} {...props}>
      <Icon name={icon} />
    </Button>
  );
}

export type Option = readonly [value: string, label: string, reason?: string | undefined];

export interface SelectProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly Option[];
  readonly change: (value: string) => void;
  readonly title?: string;
  readonly reason?: string | undefined;
  readonly 'data-focus'?: string;
}

export function Select({ label, value, options, change, title = label, reason, ...rest }: SelectProps) {
  return (
    <select
      aria-label={label}
      title={reason ?? title}
      disabled={reason !== undefined}
      value={value}
      onChange={(event) => change(event.currentTarget.value)}
      {...rest}
    >
      {options.map(([one, text, why]) => (
        <option key={one} value={one} disabled={why !== undefined} title={why}>
          {why === undefined ? text : `${text} (${why})`}
        </option>
      ))}
    </select>
  );
}

export function NumberField({
  label,
  value,
  range,
  change,
  title = label,
  reason,
  ...rest
}: {
  readonly label: string;
  readonly value: number;
  readonly range: { readonly min: number; readonly max: number; readonly step: number };
  readonly change: (value: number) => void;
  readonly title?: string;
  readonly reason?: string | undefined;
  readonly class?: string;
  readonly 'data-focus'?: string;
}) {
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    // Only when the value changes: any other redraw must leave alone what is being typed.
    input.current!.value = String(value);
  }, [value]);
  return (
    <input
      ref={input}
      type="number"
      aria-label={label}
      title={reason ?? title}
      disabled={reason !== undefined}
      {...range}
      {...rest}
      onChange={({ currentTarget }) => {
        const to = currentTarget.valueAsNumber;
        // An empty or broken field, or one past its range, falls back to what it showed before: nobody asked for the range's end.
        if (to >= range.min && to <= range.max) change(to);
        else currentTarget.value = String(value);
      }}
    />
  );
}

export function Field({
  label,
  children,
}: {
  readonly label: ComponentChildren;
  readonly children: ComponentChildren;
}) {
  return (
    <label class="field">
      {label}
      {children}
    </label>
  );
}

export function Check({
  title,
  checked,
  disabled,
  change,
  children,
  ...rest
}: {
  readonly title?: string;
  readonly checked: boolean;
  readonly disabled?: boolean;
  readonly change: (checked: boolean) => void;
  readonly children: ComponentChildren;
  readonly 'data-focus': string;
}) {
  return (
    <label class="check" title={title}>
      <input type="checkbox" checked={checked} disabled={disabled} onChange={() => change(!checked)} {...rest} />
      {children}
    </label>
  );
}

/** One of several choices. */
export interface Segment extends Pick<ButtonProps, 'press' | 'title' | 'reason'> {
  readonly label: string;
  readonly on: boolean;
}

export function Segmented({ label, parts }: { readonly label: string; readonly parts: readonly Segment[] }) {
  return (
    <div class="segmented" role="group" aria-label={label}>
      {parts.map(({ label: name, on, ...part }) => (
        <Button key={name} {...part} aria-pressed={on} data-focus={`segment-${name}`}>
          {name}
        </Button>
      ))}
    </div>
  );
}

const icons = {
  close: 'M4 4l8 8M12 4l-8 8',
  plus: 'M8 3v10M3 8h10',
  minus: 'M3 8h10',
  letter: 'M3 13L8 3l5 10M4.7 9.6h6.6',
  fit: 'M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4',
  table: 'M2 3h12v10H2zM2 6.5h12M2 10h12M6.5 3v10',
  filter: 'M2 3h12L9.5 8.5V13L6.5 11.5V8.5z',
  save: 'M8 2v8M4.5 6.5L8 10l3.5-3.5M3 13.5h10',
  undo: 'M3 6h6.5a3.5 3.5 0 010 7H6M3 6l3-3M3 6l3 3',
  down: 'M4 6l4 4 4-4',
  stop: 'M4 4h8v8H4z',
  scope: 'M6 2H3v12h3M10 2h3v12h-3M5.5 6h5M5.5 10h5',
  maximise: 'M2 2h12v12H2zM2 5h12',
  text: 'M2 3h12M2 6.3h8M2 9.6h12M2 13h8',
  pin: 'M5.5 2h5M6.5 2v4L4.5 9h7L9.5 6V2M8 9v5',
  more: 'M3 7.5h.8v1H3zM7.6 7.5h.8v1h-.8zM12.2 7.5h.8v1h-.8z',
} as const;

export type IconName = keyof typeof icons;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg viewBox="0 0 16 16" width={16} height={16} aria-hidden="true" class="icon">
      <path
        d={icons[name]}
        fill="none"
        stroke="currentColor"
        stroke-width={1.2}
        stroke-linejoin="round"
        stroke-linecap="round"
      />
    </svg>
  );
}
