import * as vscode from 'vscode';
import type { Layer } from '../trace/access.js';
import { colourings, type ColourChoice, isByLayer } from '../trace/colouring.js';
import { layerKey, sightOf } from '../trace/sight.js';
import { numberOf, plain } from '../trace/label.js';
import type { ExpertSet, Trace } from '../trace/trace.js';
import { word } from './words.js';

const key = 'gander.colour';
const first: ColourChoice = { by: 'experts', layer: '' };

/**
 * What colours the texts whose layers have experts of their own: chosen in a panel, by a command or in the tree, and the
 * same wherever such a text is drawn. Kept with the workspace.
 */
export class Colours implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<ColourChoice>();
  readonly onDidChange = this.#changed.event;
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

  dispose(): void {
    this.#changed.dispose();
  }
}

export function layerName({ stack, layer }: Layer): string {
  return stack ? word('layerOfStack', word(stack), layer) : word('layer', layer);
}

/** Where it is said which layer's it is. */
export function expertName(set: ExpertSet, expert: number): string {
  const number = numberOf(set, expert);
  return number === undefined ? plain(set.experts[expert]?.name ?? '') : word('expertNumber', String(number));
}

/** In a few words, e.g. `layer 12`, `entropy, all layers`; undefined for a trace whose experts are the same in all layers. */
export function colourWords(trace: Trace, { by, layer }: ColourChoice): string | undefined {
  const sight = sightOf(trace, layer);
  if (!sight?.layer) return undefined;
  if (by === 'experts') return layerName(sight.layer);
  if (!isByLayer(by)) return word(`colour_${by}`);
  const where = layerKey(sight.layer) === layer ? layerName(sight.layer) : word('allLayers');
  return word('inSequence', word(`colour_${by}`), where);
}
