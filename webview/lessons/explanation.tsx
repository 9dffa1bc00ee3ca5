/** What a figure's numbers are: in words, as a formula, their range, and what chance would give. */
import type { RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { t } from '../look/strings.js';
import { figures, lettersOf, numbers, type Explanation as Entry, type FigureName } from './explanations.js';
import { useBeside, useOnTop } from './following.js';
import { say } from './strings.js';

export function Explanation({
  name,
  title,
  beside,
}: {
  readonly name: FigureName;
  readonly title: string;
  readonly beside: RefObject<HTMLElement | null>;
}) {
  const box = useRef<HTMLDivElement>(null);
  useOnTop(box);
  useBeside(box, () => [beside.current!.firstElementChild!]);
  useLayoutEffect(() => box.current!.focus(), []);
  const list: readonly Entry[] = figures[name].map((one) => numbers[one]);
  // Each letter is explained where it is first used.
  const letters = list
    .map(lettersOf)
    .map((own, i, all) => own.filter((letter) => !all.slice(0, i).flat().includes(letter)));
  return (
    <div
      ref={box}
      popover="manual"
      class="callout explanation"
      role="dialog"
      aria-label={t('explain', title)}
      tabindex={0}
    >
      {list.map((one, i) => (
        <One key={one.what} {...one} letters={letters[i]!} />
      ))}
      <p class="foot">
        <a href="command:gander.openGlossary">{say('glossary')}</a>
      </p>
    </div>
  );
}

function One({
  title,
  what,
  letters,
  formula,
  range,
  chance,
  source,
}: Entry & { readonly letters: ReturnType<typeof lettersOf> }) {
  return (
    <section>
      <h4>{t(title)}</h4>
      <p>{say(what)}</p>
      {letters.length > 0 && <p class="faint">{letters.map((letter) => say(letter)).join(' ')}</p>}
      <dl class="numbers">
        {formula && (
          <>
            <dt>{say('formula')}</dt>
            <dd>
              {formula.map((line) => (
                <div key={line}>{line}</div>
              ))}
            </dd>
          </>
        )}
        <dt>{say('range')}</dt>
        <dd>{say(range)}</dd>
        <dt>{say('byChance')}</dt>
        <dd>{say(chance ?? 'chanceNone')}</dd>
        {source !== undefined && (
          <>
            <dt>{say('source')}</dt>
            <dd>{source}</dd>
          </>
        )}
      </dl>
    </section>
  );
}
