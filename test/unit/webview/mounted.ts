/** As much of a document as a view needs to be mounted and used, with no browser. */
import { render, type ComponentChild } from 'preact';
import { vi } from 'vitest';

class Part {
  parentNode: Mounted | null = null;
  data = '';
  readonly nodeType: number = 3;

  get nextSibling(): Part | null {
    const beside = this.parentNode?.childNodes ?? [];
    return beside[beside.indexOf(this) + 1] ?? null;
  }

  get textContent(): string {
    return this.data;
  }
}

export class Mounted extends Part {
  override readonly nodeType = 1;
  readonly childNodes: Part[] = [];
  readonly attributes = new Map<string, string>();
  readonly #listeners = new Map<string, (event: object) => void>();
  scrollTop = 0;

  constructor(readonly localName: string) {
    super();
  }

  get firstChild(): Part | null {
    return this.childNodes[0] ?? null;
  }

  get parentElement(): Mounted | null {
    return this.parentNode;
  }

  override get textContent(): string {
    return this.childNodes.map((child) => child.textContent).join('');
  }

  insertBefore(child: Part, before: Part | null): void {
    child.parentNode?.removeChild(child);
    this.childNodes.splice(before ? this.childNodes.indexOf(before) : this.childNodes.length, 0, child);
    child.parentNode = this;
  }

  removeChild(child: Part): void {
    this.childNodes.splice(this.childNodes.indexOf(child), 1);
    child.parentNode = null;
  }

  setAttribute(name: string, value: unknown): void {
    this.attributes.set(name, String(value));
  }

  removeAttribute(name: string): void {
    this.attributes.delete(name);
  }

  addEventListener(type: string, listener: (event: object) => void): void {
    this.#listeners.set(type, listener);
  }

  getBoundingClientRect(): { readonly top: number } {
    return { top: 0 };
  }

  /** All below it with an attribute of such a value. */
  all(attribute: string, value: string): Mounted[] {
    return this.childNodes.flatMap((child) =>
      child instanceof Mounted
        ? [...(child.attributes.get(attribute) === value ? [child] : []), ...child.all(attribute, value)]
        : [],
    );
  }

  click(): void {
    this.#listeners.get('click')!.call(this, { type: 'click', target: this });
  }
}

/** The globals that modules of the page look for, until `vi.unstubAllGlobals`. */
export function stubPage(): void {
  vi.stubGlobal('addEventListener', () => {});
  vi.stubGlobal('matchMedia', () => ({ matches: false, addEventListener: () => {} }));
  vi.stubGlobal('document', {
    createElementNS: (_: string, name: string) => new Mounted(name),
    createTextNode: (data: string) => Object.assign(new Part(), { data }),
  });
}

export function mount(view: ComponentChild): Mounted {
  const root = new Mounted('main');
  render(view, root as unknown as Element);
  return root;
}
