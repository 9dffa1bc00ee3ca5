import * as vscode from 'vscode';
import type { Layer } from '../trace/model/access.js';
import type { Attribution } from '../requests/api.js';
import type { Routed, RoutingStore } from '../routing/store.js';
import {
  colourings,
  type ColourChoice,
  isByLayer,
  type Overlay,
  shownBy,
  type TextColour,
} from '../trace/figures/colouring.js';
import { layerOf, shownExpertsOf } from '../trace/model/shownExperts.js';
import { numberOf, plain } from '../trace/text/label.js';
import type { ExpertSet, Trace } from '../trace/model/trace.js';
import { layerWords } from '../trace/text/whatIfWords.js';
import { word } from './words.js';

const key = 'gander.colour';
const first: ColourChoice = { by: 'experts', layer: '' };

/**
 * What each text is coloured by: chosen in a panel, by a command or in the tree, and the same wherever the text is drawn. A text
 * begins with the choice that was made last, which the workspace remembers.
 */
export class Colours implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;
  readonly #overlaid = new vscode.EventEmitter<number>();
  /** Fires with the range's id in the store. */
  readonly onDidOverlay = this.#overlaid.event;
  readonly #overlays = new Map<number, Overlay>();
  /** By the range's id in the store, as what follows. */
  readonly #choices = new Map<number, TextColour>();
  /** Those that had another run beside them. */
  readonly #compared = new Set<number>();
  /** Those that were shown when they were made. */
  readonly #attributions = new WeakSet<Attribution>();
  /** Of each document the range that was routed or run last: one that is routed anew goes on from it. */
  readonly #latest = new Map<string, number>();
  readonly #unlisten: () => void;
  #last: ColourChoice;

  constructor(
    private readonly memory: vscode.Memento,
    store: RoutingStore,
  ) {
    this.#unlisten = store.onChange(({ routed, kind }) => kind === 'result' && this.#follow(routed));
    const kept = memory.get<Partial<ColourChoice>>(key);
    const isKnown = kept && colourings.some((by) => by === kept.by) && typeof kept.layer === 'string';
    this.#last = isKnown ? (kept as ColourChoice) : first;
  }

  of({ id, uri }: Pick<Routed, 'id' | 'uri'>): TextColour {
    let own = this.#choices.get(id);
    if (!own) {
      const former = this.#choices.get(this.#latest.get(uri) ?? id);
      this.#choices.set(id, (own = former ?? { ...this.#last, over: '', passed: false }));
    }
    return own;
  }

  choose({ id }: Pick<Routed, 'id'>, { by, layer, over, passed }: TextColour): void {
    this.#choices.set(id, { by, layer, over, passed });
    this.#last = { by, layer };
    void this.memory.update(key, this.#last);
    this.#changed.fire();
  }

  /** A comparison that is opened, or an attribution that is made, is shown until something else is chosen. */
  #follow(routed: Routed): void {
    const { id, uri, main, other } = routed;
    const former = this.#choices.has(id) ? id : (this.#latest.get(uri) ?? id);
    const before = this.of(routed);
    this.#latest.set(uri, id);
    const isOtherwise = this.#compared.has(former) !== (other !== undefined);
    if (other) this.#compared.add(id);
    else this.#compared.delete(id);
    const { attribution } = main;
    const isNew = attribution !== undefined && !this.#attributions.has(attribution);
    if (isNew) this.#attributions.add(attribution);
    if (!isNew && !isOtherwise) return;
    const over = !isOtherwise ? before.over : other ? 'change' : '';
    this.#choices.set(id, { ...before, over, passed: before.passed && !isNew });
    this.#changed.fire();
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
    this.#unlisten();
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
