/** The page: what atlas it is, and the overview or one unit. */
import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { LessonsProvider } from '../components/explain.js';
import { WhenHere } from '../components/lazy.js';
import { t } from '../look/strings.js';
import { lazy } from '../store/lazy.js';
import { Overview } from './overview.js';
import { Refusal } from './refusal.js';
import { summaryOf } from './said.js';
import { useAtlas } from './store.js';
import { UnitPage } from './unit.js';

const lessons = lazy(() => import('../lessons/explanation.js'));
const saving = lazy(() => import('./saving.js'));

export function App() {
  const store = useAtlas();
  const [data, atlas, unit, refused] = [store.data.value, store.atlas.value, store.unit.value, store.refused.value];
  const toSave = store.toSave.value;
  const page = useRef<HTMLDivElement>(null);
  useEscape(() => store.back());
  useScrolled(page, data !== undefined);
  return (
    <LessonsProvider value={lessons}>
      <div ref={page} class="atlas">
        {!data || !atlas ? (
          <p class="faint">{t('atlasLoading')}</p>
        ) : (
          <>
            <header class="atlasHead">
              <h1>{data.title}</h1>
              <p class="faint">{summaryOf(data.about)}</p>
            </header>
            {refused && refused.at === undefined && <Refusal error={refused.error} />}
            {unit ? <UnitPage unit={unit} /> : <Overview atlas={atlas} />}
            {toSave && <WhenHere of={saving} show={({ SaveFigure }) => <SaveFigure figure={toSave} />} />}
          </>
        )}
      </div>
    </LessonsProvider>
  );
}

/** What gives the page to a person, who is not moved any more. */
const acts = ['wheel', 'pointerdown', 'keydown'];

/** Goes where the page was scrolled to, as soon as enough of it has come, and keeps where it is from then on. */
function useScrolled(page: RefObject<HTMLElement | null>, isHere: boolean): void {
  const store = useAtlas();
  useLayoutEffect(() => {
    if (!isHere) return undefined;
    const own = page.current!;
    const keep = (): void => store.scroll(own.scrollTop);
    const grown = new MutationObserver(() => go());
    const arrive = (): void => {
      grown.disconnect();
      for (const act of acts) removeEventListener(act, arrive);
      own.addEventListener('scrollend', keep);
    };
    const go = (): void => {
      own.scrollTop = store.scrolled;
      if (Math.abs(own.scrollTop - store.scrolled) < 1) arrive();
    };
    grown.observe(own, { subtree: true, childList: true, attributes: true });
    for (const act of acts) addEventListener(act, arrive);
    go();
    return () => {
      arrive();
      own.removeEventListener('scrollend', keep);
    };
  }, [isHere]);
}

/** Escape leads back, unless a nearer element takes the key or something is being typed. */
function useEscape(leave: () => void): void {
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      const isTyping = event.target instanceof Element && event.target.matches('input, textarea, select');
      if (event.key === 'Escape' && !event.defaultPrevented && !isTyping) leave();
    };
    window.addEventListener('keydown', listen);
    return () => window.removeEventListener('keydown', listen);
  }, []);
}
