/** Chips: what applies to a run or a text, each with a button that removes it. */
import type { ComponentChildren } from 'preact';
import { Tool, type ButtonProps } from './controls.js';
import { Toolbar } from './toolbar.js';

export function Chips({
  label,
  now = label,
  children,
}: {
  readonly label: string;
  readonly now?: string;
  readonly children: ComponentChildren;
}) {
  return (
    <Toolbar class="chips" label={label}>
      <span class="faint">{now}</span>
      {children}
    </Toolbar>
  );
}

export function Chip({
  words,
  ...leave
}: Omit<ButtonProps, 'children'> & { readonly words: string; readonly label: string }) {
  return (
    <span class="whatIfChip">
      {words}
      <Tool icon="close" {...leave} />
    </span>
  );
}
