/** A "?" that explains a figure's numbers. The texts are a file of their own, loaded when they are first needed. */
import { createContext } from 'preact';
import { useContext, useRef, useState } from 'preact/hooks';
import type { Explanation } from '../lessons/explanation.js';
import type { FigureName } from '../lessons/explanations.js';
import { t } from '../look/strings.js';
import type { Lazy } from '../store/lazy.js';
import { Button } from './controls.js';

const lessons = createContext<Lazy<{ readonly Explanation: typeof Explanation }> | undefined>(undefined);

export const LessonsProvider = lessons.Provider;

export function Explain({ name, title }: { readonly name: FigureName; readonly title: string }) {
  const { code, want } = useContext(lessons)!;
  const [isOpen, setOpen] = useState(false);
  const Shown = isOpen ? code.value?.Explanation : undefined;
  const box = useRef<HTMLSpanElement>(null);
  const close = (): void => setOpen(false);
  return (
    <span
      ref={box}
      class="explain"
      onKeyDown={(event) => {
        if (!Shown || event.key !== 'Escape') return;
        event.preventDefault();
        close();
        box.current!.querySelector('button')!.focus();
      }}
      onFocusOut={(event) => {
        // Not when the whole window loses the focus.
        if (document.hasFocus() && !event.currentTarget.contains(event.relatedTarget as Node | null)) close();
      }}
    >
      <Button
        press={() => {
          if (!Shown) void want();
          setOpen(!Shown);
        }}
        class="tool"
        aria-label={t('explain', title)}
        title={t('explainHint')}
        aria-haspopup="dialog"
        aria-expanded={Shown !== undefined}
        data-focus={`explain-${name}`}
      >
        ?
      </Button>
      {Shown && <Shown name={name} title={title} beside={box} />}
    </span>
  );
}
