/** Saves a figure of a run, or its map, which has a picture of its own. */
import { useMemo } from 'preact/hooks';
import { useStore } from '../components/context.js';
import { svgOf, pngOf } from '../map/picture.js';
import type { GridScene } from '../map/scene.js';
import { type Drawn, FigureDialog } from '../saving/dialog.js';
import { say } from '../saving/strings.js';
import type { SavedFigure, Store } from '../store/store.js';
import { captionOf, runsOf, type Shown } from './caption.js';
import { mapFigure, pictureOf, shownIn } from './mapPlot.js';

interface Props {
  readonly scene: GridScene;
  readonly asked: SavedFigure;
}

export function SaveFigure({ scene, asked }: Props) {
  const store = useStore();
  const figure = useMemo(() => {
    const isMap = asked === 'map';
    const found = isMap ? mapFigure(scene) : asked;
    if (!found) return undefined;
    const shown = isMap ? shownIn(scene) : asked.ofBoth ? 'both' : 'main';
    const [caption, runs] = [captionOf(store, shown, found), runsOf(store, shown)];
    return {
      ...found,
      file: fileName(store, shown, found.title),
      caption,
      runs,
      ...(isMap && { seen: () => seenOf(scene) }),
    };
  }, [asked]);
  return (
    <FigureDialog
      figure={figure}
      send={(message) => store.send(message)}
      close={() => {
        store.toSave.value = undefined;
      }}
    />
  );
}

/** A run after a what-if is another one than before, and so is its file. */
function fileName({ main, other }: Store, shown: Shown, title: string): string {
  const sides = shown === 'both' ? [main, other] : [shown === 'main' ? main : other];
  const isWhatIf = sides.some(({ choices }) => (choices.peek()?.interventions.length ?? 0) > 0);
  return isWhatIf ? `${title} ${say('ofWhatIf')}` : title;
}

function seenOf(scene: GridScene): Drawn | undefined {
  const picture = pictureOf(scene);
  return picture && { svg: () => svgOf(picture), png: () => pngOf(picture) };
}
