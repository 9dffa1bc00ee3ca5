/** The page: what atlas it is, and the overview or one unit. */
import { useEffect } from 'preact/hooks';
import type { About } from '../../src/atlas/about.js';
import { LessonsProvider } from '../components/explain.js';
import { t } from '../look/strings.js';
import { lazy } from '../store/lazy.js';
import { Overview } from './overview.js';
import { useAtlas } from './store.js';
import { UnitPage } from './unit.js';

const lessons = lazy(() => import('../lessons/explanation.js'));

export function App() {
  const store = useAtlas();
  const [data, atlas, unit, refused] = [store.data.value, store.atlas.value, store.unit.value, store.refused.value];
  useEscape(() => store.back());
  return (
    <LessonsProvider value={lessons}>
      <div class="atlas">
        {!data || !atlas ? (
          <p class="faint">{t('atlasLoading')}</p>
        ) : (
          <>
            <header class="atlasHead">
              <h1>{data.title}</h1>
              <p class="faint">{summary(data.about)}</p>
            </header>
            {refused && (
              <p class="notice error" role="alert">
                <strong>{refused.message}</strong> {refused.remedy}
              </p>
            )}
            {unit ? <UnitPage unit={unit} /> : <Overview atlas={atlas} />}
          </>
        )}
      </div>
    </LessonsProvider>
  );
}

function summary({ run, totals, corpus, leftOut }: About): string {
  const parts = [
    run.name,
    t('atlasDocumentCount', totals.documents),
    t('tokens', totals.tokens),
    t('atlasLabelCount', corpus.labels.length),
    ...(leftOut.length > 0 ? [t('atlasLeftOut', leftOut.length)] : []),
  ];
  return parts.join(' · ');
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
