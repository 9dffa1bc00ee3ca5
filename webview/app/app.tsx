/** The page: header, legend, texts, map, and the tabs beside them. */
import { useEffect } from 'preact/hooks';
import { Button, classes } from '../components/controls.js';
import { useStore } from '../components/context.js';
import { WhenHere } from '../components/lazy.js';
import { LessonsProvider } from '../components/explain.js';
import { Splitter } from '../components/splitter.js';
import type { GridScene } from '../map/scene.js';
import { Grid } from '../map/view.js';
import { t } from '../look/strings.js';
import { Header, News } from '../header/header.js';
import { Legend } from '../legend/legend.js';
import type { Saver } from '../header/save.js';
import { Texts } from '../text/text.js';
import { lazy } from '../store/lazy.js';
import { reasonAgainst } from '../store/reasons.js';
import { figureCode } from '../figures/load.js';
import { Refusal } from './refusal.js';
import { useRegions } from './regions.js';
import { Views } from './views.js';

const lessons = lazy(() => import('./lessons.js'));

export function App({ scene, saver }: { readonly scene: GridScene; readonly saver: Saver }) {
  const store = useStore();
  const isBlank = store.main.choices.value === undefined;
  const isMaximised = store.view.maximised.value;
  const toSave = store.toSave.value;
  useEscape(() => store.leave());
  useRegions();
  return (
    <LessonsProvider value={lessons}>
      <Header saver={saver} scene={scene} />
      <div class={classes('page', isMaximised && 'maximised')}>
        <News />
        {isBlank && <First />}
        <div class="work" hidden={isBlank}>
          <div class="left">
            <Legend scene={scene} />
            {!isMaximised && <Texts />}
            <Grid scene={scene} />
          </div>
          {!isMaximised && (
            <>
              <Splitter field="sideShare" label={t('splitSide')} />
              <section class="side" aria-label={t('tabs')}>
                <Views />
              </section>
            </>
          )}
        </div>
      </div>
      <Refusal />
      {toSave && <WhenHere of={figureCode} show={({ SaveFigure }) => <SaveFigure scene={scene} asked={toSave} />} />}
      {store.tour.value && !isBlank && <WhenHere of={lessons} show={({ Tour }) => <Tour scene={scene} />} />}
    </LessonsProvider>
  );
}

/** Escape works wherever the focus is, unless a nearer element handles the key. */
function useEscape(leave: () => void): void {
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      if (event.key === 'Escape' && !event.defaultPrevented) leave();
    };
    window.addEventListener('keydown', listen);
    return () => window.removeEventListener('keydown', listen);
  }, []);
}

/** Shown before anything has been routed. */
function First() {
  const store = useStore();
  // The user knows how to route, and the same text would be refused again; the button that helps is beside the error.
  if (store.main.error.value?.code === 'text-too-long') return null;
  return (
    <div class="first">
      <h2>{t('empty')}</h2>
      <p>{t(store.main.isRunning.value ? 'emptyRunning' : store.ready.value ? 'emptyHow' : 'loading')}</p>
      {reasonAgainst(store, 'route') === undefined && (
        <Button press={() => store.route(store.main.interventions.peek())} primary data-focus="first-route">
          {t('emptyRoute')}
        </Button>
      )}
    </div>
  );
}
