/** Saves a figure of the atlas: loaded when the first is saved. */
import { FigureDialog } from '../saving/dialog.js';
import { sentences } from '../saving/strings.js';
import { summaryOf } from './said.js';
import { type SavedFigure, useAtlas } from './store.js';

export function SaveFigure({ figure: { title, says, plot } }: { readonly figure: SavedFigure }) {
  const store = useAtlas();
  return (
    <FigureDialog
      figure={{ title, plot, caption: sentences([title, says, summaryOf(store.data.peek()!.about)]) }}
      send={(message) => store.send(message)}
      close={() => {
        store.toSave.value = undefined;
      }}
    />
  );
}
