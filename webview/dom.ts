/** Elements without innerHTML: text that comes from a document or a pool only ever becomes a text node. */

type Child = Node | string | number | undefined | null | false;
type Value = string | number | boolean | undefined;

export interface Props {
  readonly class?: string;
  readonly on?: { readonly [K in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[K]) => void };
  /** CSS custom properties and others, set through the CSSOM, which the content security policy allows. */
  readonly style?: Readonly<Record<string, string>>;
  readonly [attribute: string]: unknown;
}

function apply(element: Element & ElementCSSInlineStyle, props: Props): void {
  for (const [name, value] of Object.entries(props)) {
    if (name === 'on') {
      for (const [type, listener] of Object.entries(value as Record<string, EventListener>))
        element.addEventListener(type, listener);
    } else if (name === 'style') {
      for (const [property, to] of Object.entries(value as Record<string, string>))
        element.style.setProperty(property, to);
    } else attribute(element, name, value as Value);
  }
}

export function attribute(element: Element, name: string, value: Value): void {
  if (value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true && !name.startsWith('aria-') ? '' : String(value));
}

function fill(element: Element, children: readonly Child[]): void {
  for (const child of children) {
    if (child === undefined || child === null || child === false) continue;
    element.append(typeof child === 'number' ? String(child) : child);
  }
}

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  apply(element, props);
  fill(element, children);
  return element;
}

export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  apply(element, props);
  fill(element, children);
  return element;
}

export interface ButtonProps extends Props {
  readonly press: () => void;
  readonly primary?: boolean;
  /** Why it cannot be used; then it is disabled and says so. */
  readonly reason?: string | undefined;
}

export function button(label: string | Node, { press, primary, reason, ...props }: ButtonProps): HTMLButtonElement {
  return h(
    'button',
    {
      type: 'button',
      ...props,
      class: ['button', primary ? 'primary' : '', props.class ?? ''].join(' ').trim(),
      // aria-disabled and not disabled: the reason stays within reach of keyboard and pointer.
      ...(reason ? { 'aria-disabled': 'true', title: reason } : {}),
      on: {
        click: () => {
          if (!reason) press();
        },
      },
    },
    label,
  );
}

export function select(
  label: string,
  value: string,
  options: readonly (readonly [value: string, label: string])[],
  change: (value: string) => void,
  props: Props = {},
): HTMLSelectElement {
  const element: HTMLSelectElement = h(
    'select',
    {
      'aria-label': label,
      title: label,
      ...props,
      on: {
        change: () => {
          change(element.value);
        },
      },
    },
    ...options.map(([v, text]) => h('option', { value: v, selected: v === value }, text)),
  );
  return element;
}

export function number(
  label: string,
  value: number,
  range: { min: number; max: number; step: number },
  change: (value: number) => void,
  props: Props = {},
): HTMLInputElement {
  const element: HTMLInputElement = h('input', {
    type: 'number',
    'aria-label': label,
    title: label,
    value,
    ...range,
    ...props,
    on: {
      change: () => {
        const to = Math.min(range.max, Math.max(range.min, element.valueAsNumber));
        // An empty or broken field falls back to what it showed before.
        if (Number.isFinite(to)) change(to);
        else element.value = String(value);
      },
    },
  });
  return element;
}

/** The old children go, the new ones come; focus goes to the element with the same `data-focus` if it was inside. */
export function replace(parent: Element, ...children: Child[]): void {
  const key = parent.contains(document.activeElement) ? document.activeElement?.getAttribute('data-focus') : undefined;
  parent.replaceChildren();
  fill(parent, children);
  if (key) parent.querySelector<HTMLElement>(`[data-focus="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

const icons = {
  close: 'M4 4l8 8M12 4l-8 8',
  plus: 'M8 3v10M3 8h10',
  minus: 'M3 8h10',
  fit: 'M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4',
  table: 'M2 3h12v10H2zM2 6.5h12M2 10h12M6.5 3v10',
  filter: 'M2 3h12L9.5 8.5V13L6.5 11.5V8.5z',
  undo: 'M3 6h6.5a3.5 3.5 0 010 7H6M3 6l3-3M3 6l3 3',
  down: 'M4 6l4 4 4-4',
  stop: 'M4 4h8v8H4z',
} as const;

export type Icon = keyof typeof icons;

export function icon(name: Icon): SVGSVGElement {
  return s(
    'svg',
    { viewBox: '0 0 16 16', width: 16, height: 16, 'aria-hidden': 'true', class: 'icon' },
    s('path', {
      d: icons[name],
      fill: 'none',
      stroke: 'currentColor',
      'stroke-width': 1.2,
      'stroke-linejoin': 'round',
      'stroke-linecap': 'round',
    }),
  );
}
