/** The dialog that saves a figure: for a paper or as it is seen, its caption, and its data. */
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { csvOf, vegaOf } from '../../src/paper/data.js';
import { draw, paperWidths, type PaperWidth } from '../../src/paper/draw.js';
import { paper } from '../../src/paper/look.js';
import type { Plot } from '../../src/paper/plot.js';
import { perMm, type Drawing } from '../../src/paper/sheet.js';
import { svgOf } from '../../src/paper/svg.js';
import { Button, Segmented, type ButtonProps } from '../components/controls.js';
import { useStore } from '../components/context.js';
import { svgOf as svgOfPicture, pngOf as pngOfPicture } from '../map/picture.js';
import type { GridScene } from '../map/scene.js';
import { t } from '../look/strings.js';
import { pngOf } from '../look/png.js';
import { theme } from '../look/theme.js';
import type { SavedFigure, Store } from '../store/store.js';
import { captionOf } from './caption.js';
import { lookOf } from './look.js';
import { mapFigure, pictureOf } from './mapPlot.js';
import { say } from './strings.js';

interface Props {
  readonly scene: GridScene;
  readonly asked: SavedFigure;
}

/** A picture that can be saved. */
interface Drawn {
  readonly svg: () => string;
  readonly png: () => Promise<ArrayBuffer>;
  /** Undefined: the picture of the map as it is seen, which is made of pixels. */
  readonly drawing?: Drawing;
}

/** A drawing with more marks takes too long to be shown with every press. */
const mostShown = 30_000;

export function SaveFigure({ scene, asked }: Props) {
  const store = useStore();
  const dialog = useRef<HTMLDialogElement>(null);
  const [isForPaper, setForPaper] = useState(true);
  const [mm, setWidth] = useState<PaperWidth>(85);
  const figure = useMemo(() => (asked === 'map' ? mapFigure(scene) : asked), [asked]);
  useLayoutEffect(() => dialog.current!.showModal(), []);
  const close = (): void => {
    store.toSave.value = undefined;
  };
  const side = asked === 'map' ? scene.side.peek() : 'main';
  const drawn = figure && drawnOf(scene, asked, figure, isForPaper, mm);
  return (
    <dialog
      ref={dialog}
      class="saveFigure"
      aria-labelledby="save-figure-title"
      onClose={close}
      onKeyDown={(event) => {
        // The browser closes the dialog; nothing else is to be left.
        if (event.key === 'Escape') event.stopPropagation();
      }}
    >
      <header>
        <h2 id="save-figure-title">{figure ? t('saveFigureOf', figure.title) : t('saveFigure')}</h2>
        <Button press={() => dialog.current!.close()} data-focus="figure-close">
          {say('closeDialog')}
        </Button>
      </header>
      {!figure || !drawn ? (
        <p class="hint">{say('nothingThere')}</p>
      ) : (
        <>
          <div class="formRow">
            <Segmented
              label={say('figureLook')}
              parts={[
                { label: say('forPaper'), title: say('forPaperHint'), on: isForPaper, press: () => setForPaper(true) },
                { label: say('asSeen'), title: say('asSeenHint'), on: !isForPaper, press: () => setForPaper(false) },
              ]}
            />
            {drawn.drawing && <Widths mm={mm} choose={setWidth} drawing={drawn.drawing} />}
          </div>
          <Preview drawn={drawn} title={figure.title} />
          <Pictures store={store} drawn={drawn} title={figure.title} />
          <Rest store={store} title={figure.title} plot={figure.plot} caption={captionOf(store, side, figure)} />
        </>
      )}
    </dialog>
  );
}

function drawnOf(
  scene: GridScene,
  asked: SavedFigure,
  { plot, title }: { readonly plot: Plot; readonly title: string },
  isForPaper: boolean,
  mm: PaperWidth,
): Drawn | undefined {
  if (asked === 'map' && !isForPaper) {
    const picture = pictureOf(scene);
    return picture && { svg: () => svgOfPicture(picture), png: () => pngOfPicture(picture) };
  }
  const drawing = draw(plot, isForPaper ? paper : lookOf(theme.peek()), mm, title);
  return { svg: () => svgOf(drawing), png: () => pngOf(drawing), drawing };
}

function Widths({
  mm,
  choose,
  drawing,
}: {
  readonly mm: PaperWidth;
  readonly choose: (mm: PaperWidth) => void;
  readonly drawing: Drawing;
}) {
  return (
    <>
      <Segmented
        label={say('figureWidth')}
        parts={paperWidths.map((own) => ({
          label: say('millimetres', own),
          on: own === mm,
          press: () => choose(own),
        }))}
      />
      <span class="faint">{say('figureSize', mm, Math.ceil(drawing.height / perMm))}</span>
    </>
  );
}

function Preview({ drawn, title }: { readonly drawn: Drawn; readonly title: string }) {
  if (drawn.drawing && drawn.drawing.marks.length > mostShown) return null;
  return (
    <div class="figurePreview" tabindex={0} role="region" aria-label={say('figurePreview')}>
      <img src={`data:image/svg+xml,${encodeURIComponent(drawn.svg())}`} alt={title} />
    </div>
  );
}

function Pictures({ store, drawn, title }: { readonly store: Store; readonly drawn: Drawn; readonly title: string }) {
  const savePng = (): void => {
    drawn.png().then(
      (data) => store.send({ type: 'save', kind: 'png', data, name: title }),
      (thrown: unknown) => store.send({ type: 'log', level: 'error', text: String(thrown) }),
    );
  };
  return (
    <Choices
      label={say('asPicture')}
      buttons={[
        {
          name: 'svg',
          children: say('figureSvg'),
          press: () => store.send({ type: 'save', kind: 'svg', data: drawn.svg(), name: title }),
        },
        ...(drawn.drawing
          ? [
              {
                name: 'pdf',
                children: say('figurePdf'),
                press: () => store.send({ type: 'save', kind: 'pdf', data: drawn.drawing!, name: title }),
              },
            ]
          : []),
        { name: 'png', children: say('figurePng'), title: drawn.drawing && say('figurePngHint'), press: savePng },
      ]}
    />
  );
}

function Rest({
  store,
  title,
  plot,
  caption,
}: {
  readonly store: Store;
  readonly title: string;
  readonly plot: Plot;
  readonly caption: string;
}) {
  const vega = plot.kind !== 'table';
  return (
    <>
      <Choices
        label={say('asData')}
        buttons={[
          {
            name: 'csv',
            children: say('figureCsv'),
            press: () => store.send({ type: 'save', kind: 'csv', data: csvOf(plot), name: title }),
          },
          ...(vega
            ? [
                {
                  name: 'vega',
                  children: say('vega'),
                  title: say('vegaHint'),
                  press: () => store.send({ type: 'save', kind: 'json', data: vegaOf(plot, caption)!, name: title }),
                },
              ]
            : []),
        ]}
      />
      <h3>{say('captionTitle')}</h3>
      <p class="figureCaption">{caption}</p>
      <Button press={() => store.send({ type: 'copy', text: caption })} data-focus="figure-caption">
        {say('copyCaption')}
      </Button>
    </>
  );
}

function Choices({
  label,
  buttons,
}: {
  readonly label: string;
  readonly buttons: readonly (Pick<ButtonProps, 'press' | 'title' | 'children'> & { readonly name: string })[];
}) {
  return (
    <div class="formRow" role="group" aria-label={label}>
      <span class="figureKind">{label}</span>
      {buttons.map(({ name, ...button }) => (
        <Button key={name} {...button} data-focus={`figure-${name}`} />
      ))}
    </div>
  );
}
