/** The dialog that saves a figure: for a paper or as it is seen, its caption, and its data. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { csvOf, type DataRun, vegaOf } from '../../src/paper/data.js';
import { draw, paperWidths, type PaperWidth } from '../../src/paper/draw.js';
import { lostLetters } from '../../src/paper/letters.js';
import { type Look, paper } from '../../src/paper/look.js';
import type { Plot } from '../../src/paper/plot.js';
import { perMm, type Drawing } from '../../src/paper/sheet.js';
import { svgOf } from '../../src/paper/svg.js';
import type { FigureMessage } from '../../src/protocol/panel.js';
import { Button, Segmented, type ButtonProps } from '../components/controls.js';
import { t } from '../look/strings.js';
import { pngOf } from '../look/png.js';
import { theme } from '../look/theme.js';
import { lookOf } from './look.js';
import { say } from './strings.js';

/** A picture that can be saved. */
export interface Drawn {
  readonly svg: () => string;
  readonly png: () => Promise<ArrayBuffer>;
  /** Undefined: the picture of the map as it is seen, which is made of pixels. */
  readonly drawing?: Drawing;
}

type Send = (message: FigureMessage) => void;

export interface Figure {
  readonly title: string;
  /** What its files are called, without their width and ending; default: as its title is. */
  readonly file?: string;
  readonly caption: string;
  readonly plot: Plot;
  /** The runs that it shows, if two are compared. */
  readonly runs?: readonly DataRun[] | undefined;
  /** If it is seen as something else than its drawing in the theme's colours. */
  readonly seen?: () => Drawn | undefined;
}

interface Props {
  /** Undefined: there is nothing to draw. */
  readonly figure: Figure | undefined;
  readonly send: Send;
  readonly close: () => void;
}

/** A drawing with more marks takes too long to be shown with every press. */
const mostShown = 30_000;

export function FigureDialog({ figure, send, close }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [isForPaper, setForPaper] = useState(true);
  const [mm, setWidth] = useState<PaperWidth>(85);
  useLayoutEffect(() => dialog.current!.showModal(), []);
  const drawn = figure && (isForPaper ? drawnAs(figure, paper, mm) : seenAs(figure, mm));
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
          {figure.runs?.map((run) => (
            <p key={run.title} class="caption">
              {runWords(run)}
            </p>
          ))}
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
          <Pictures send={send} drawn={drawn} name={pictureName(figure, drawn, mm)} />
          {drawn.drawing && <Lost drawing={drawn.drawing} />}
          <Rest send={send} {...figure} />
        </>
      )}
    </dialog>
  );
}

const runWords = ({ title, name }: DataRun): string => `${title}: ${name}`;

function drawnAs({ plot, title, runs = [] }: Figure, look: Look, mm: PaperWidth): Drawn {
  const drawing = draw(plot, look, mm, [title, ...runs.map(runWords)].join('. '));
  return { svg: () => svgOf(drawing), png: () => pngOf(drawing), drawing };
}

function seenAs(figure: Figure, mm: PaperWidth): Drawn | undefined {
  return figure.seen ? figure.seen() : drawnAs(figure, lookOf(theme.peek()), mm);
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

/** Letters named in a note, at most. */
const mostNamed = 8;

/** What a PDF could not show. */
function Lost({ drawing }: { readonly drawing: Drawing }) {
  const lost = lostLetters(drawing);
  if (lost.length === 0) return null;
  const named = lost.slice(0, mostNamed).join(' ');
  return <p class="notice">{say('pdfLacks', lost.length > mostNamed ? `${named} …` : named)}</p>;
}

/** The two widths are two files. */
const pictureName = ({ title, file = title }: Figure, { drawing }: Drawn, mm: PaperWidth): string =>
  drawing ? `${file} ${mm}mm` : file;

function Pictures({ send, drawn, name }: { readonly send: Send; readonly drawn: Drawn; readonly name: string }) {
  const savePng = (): void => {
    drawn.png().then(
      (data) => send({ type: 'save', kind: 'png', data, name }),
      (thrown: unknown) => send({ type: 'log', level: 'error', text: String(thrown) }),
    );
  };
  return (
    <Choices
      label={say('asPicture')}
      buttons={[
        {
          name: 'svg',
          children: say('figureSvg'),
          press: () => send({ type: 'save', kind: 'svg', data: drawn.svg(), name }),
        },
        ...(drawn.drawing
          ? [
              {
                name: 'pdf',
                children: say('figurePdf'),
                press: () => send({ type: 'save', kind: 'pdf', data: drawn.drawing!, name }),
              },
            ]
          : []),
        { name: 'png', children: say('figurePng'), title: drawn.drawing && say('figurePngHint'), press: savePng },
      ]}
    />
  );
}

function Rest({ send, title, file = title, plot, caption, runs }: Figure & { readonly send: Send }) {
  const vega = plot.kind !== 'table';
  return (
    <>
      <Choices
        label={say('asData')}
        buttons={[
          {
            name: 'csv',
            children: say('figureCsv'),
            press: () => send({ type: 'save', kind: 'csv', data: csvOf(plot, runs), name: file }),
          },
          ...(vega
            ? [
                {
                  name: 'vega',
                  children: say('vega'),
                  title: say('vegaHint'),
                  press: () => send({ type: 'save', kind: 'json', data: vegaOf(plot, caption, runs)!, name: file }),
                },
              ]
            : []),
        ]}
      />
      <h3>{say('captionTitle')}</h3>
      <p class="figureCaption">{caption}</p>
      <Button press={() => send({ type: 'copy', text: caption })} data-focus="figure-caption">
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
