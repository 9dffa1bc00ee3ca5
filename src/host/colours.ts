import * as vscode from 'vscode';
import type { Layer } from '../trace/model/access.js';
import { colourings, type ColourChoice, isByLayer, type Overlay, shownBy } from '../trace/figures/colouring.js';
import { layerOf, shownExpertsOf } from '../trace/model/shownExperts.js';
import { numberOf, plain } from '../trace/text/label.js';
import type { ExpertSet, Trace } from '../trace/model/trace.js';
import { layerWords } from '../trace/text/whatIfWords.js';
import { word } from './words.js';

const key = 'gander.colour';
const first: ColourChoice = { by: 'experts', layer: '' };

/**
 * What texts are coloured by: chosen in a panel, by a command or in the tree, and the same wherever a text is drawn. Remembered for
 * the workspace.
 */
export class Colours implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<ColourChoice>();
  readonly onDidChange = this.#changed.event;
  readonly #overlaid = new vscode.EventEmitter<number>();
  /** Fires with the range's id in the store. */
  readonly onDidOverlay = this.#overlaid.event;
  readonly #overlays = new Map<number, Overlay>();
  #choice: ColourChoice;

  constructor(private readonly memory: vscode.Memento) {
    const kept = memory.get<Partial<ColourChoice>>(key);
    const isKnown = kept && colourings.some((by) => by === kept.by) && typeof kept.layer === 'string';
    this.#choice = isKnown ? (kept as ColourChoice) : first;
  }

  get choice(): ColourChoice {
    return this.#choice;
  }

  choose({ by, layer }: ColourChoice): void {
    if (by === this.#choice.by && layer === this.#choice.layer) return;
    this.#choice = { by, layer };
    void this.memory.update(key, this.#choice);
    this.#changed.fire(this.#choice);
  }

  /** What a range's panel draws instead of the choice; empty: the choice. */
  overlayOf(id: number): Overlay {
    return this.#overlays.get(id) ?? '';
  }

  overlay(id: number, overlay: Overlay): void {
    if (overlay === this.overlayOf(id)) return;
    if (overlay === '') this.#overlays.delete(id);
    else this.#overlays.set(id, overlay);
    this.#overlaid.fire(id);
  }

  dispose(): void {
    this.#overlaid.dispose();
    this.#changed.dispose();
  }
}

export function layerName(layer: Layer): string {
  return layerWords(layer, word);
}

/** For places that name its layer already. */
export function expertName(set: ExpertSet, expert: number): string {
  const number = numberOf(set, expert);
  return number === undefined ? plain(set.experts[expert]?.name ?? '') : word('expertNumber', String(number));
}

/**
 * In a few words, such as `layer 12` or `entropy, all layers`; undefined for the experts of a pool, which goes without saying.
 * `leading expert`: the trace lacks what was chosen.
 */
export function colourWords(trace: Trace, choice: ColourChoice): string | undefined {
  const { by, layer: key } = shownBy(trace, choice);
  if (by === 'experts') {
    const own = shownExpertsOf(trace, key)?.layer;
    if (own) return layerName(own);
    return by === choice.by ? undefined : word('colour_leader');
  }
  if (!isByLayer(by)) return word(`colour_${by}`);
  const layer = layerOf(trace, key);
  return word('inSequence', word(`colour_${by}`), layer ? layerName(layer) : word('allLayers'));
}
