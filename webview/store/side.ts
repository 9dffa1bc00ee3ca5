/** One of the two runs that the page shows, as signals. */
import { computed, signal, type ReadonlySignal, type Signal } from '@preact/signals-core';
import type { Lens } from '../../src/requests/api.js';
import type { SideState } from '../../src/protocol/panel.js';
import type { RunRequestName } from '../../src/requests/table.js';
import { isFixed } from '../../src/trace/figures/overlap.js';
import { shownExpertsOf } from '../../src/trace/model/shownExperts.js';
import { deciding } from '../../src/trace/model/whatIf.js';
import type { ExpertSet, Intervention, Trace } from '../../src/trace/model/trace.js';
import { looksOf, type Looks } from '../look/looks.js';
import type { View } from './state.js';

/** A run that was asked for here, and that the host has not said anything of yet. */
export interface Asked {
  readonly what: RunRequestName;
  /** Absent: those of the run on show. */
  readonly interventions?: readonly Intervention[];
}

export type ViewSignals = { readonly [K in keyof View]: Signal<View[K]> };

/** One side's parts, each a signal of its own: a run's progress changes a hundred times, its trace a few times. */
export class SideSignals {
  readonly state = signal<SideState | undefined>(undefined);
  readonly trace = computed(() => this.state.value?.trace);
  readonly before = computed(() => this.state.value?.before);
  readonly attribution = computed(() => this.state.value?.attribution);
  readonly lenses = computed(() => this.state.value?.lenses ?? noLenses);
  readonly asked = signal<Asked | undefined>(undefined);
  /** From the click on: the host's word takes its way through the editor. */
  readonly running = computed<SideState['running']>(
    () => this.state.value?.running ?? (this.asked.value && { what: this.asked.value.what, done: 0, total: 0 }),
  );
  readonly isRunning = computed(() => this.running.value !== undefined);
  /** Length of the text that the model was given; undefined if it was given all of it. */
  readonly given = computed(() => this.state.value?.given);
  /** How the model wrote what follows that; undefined if no run but the one that is shown wrote it. */
  readonly written = computed(() => this.state.value?.written);
  readonly title = computed(() => this.state.value?.title ?? '');
  /** Name of the model that ran; undefined for a trace file, and before a run is complete. */
  readonly model = computed(() => this.state.value?.model);
  readonly strategy = computed(() => this.state.value?.strategy);
  readonly interventions = computed(() => this.state.value?.interventions ?? none);
  /** Without those that later ones overrule: undone, a later one leaves them as they were. */
  readonly whatIfs = computed(() => this.decidingOf(this.interventions.value));
  /** Those of what runs, or is about to. */
  readonly runningWhatIfs = computed(() =>
    this.decidingOf(this.asked.value?.interventions ?? this.interventions.value),
  );
  readonly error = computed(() => this.state.value?.error);
  readonly isStale = computed(() => this.state.value?.stale === true);
  /** Number of tokens, from the first, that are still as they were routed. */
  readonly fresh = computed(() => (this.isStale.value ? (this.state.value?.fresh ?? 0) : Infinity));
  /** Scores are still to come. */
  readonly scoresFollow = computed(() => this.state.value?.scoresFollow === true);
  readonly isThere = computed(() => this.state.value !== undefined);
  /** The trace with its choices: what needs no scores is not drawn again when these arrive. */
  readonly choices: ReadonlySignal<Trace | undefined>;
  /** Nothing was chosen in it: no expert, or the same ones for all tokens. */
  readonly isFixed = computed(() => this.choices.value !== undefined && isFixed(this.choices.value));
  readonly shownExperts = computed(
    () => this.choices.value && shownExpertsOf(this.choices.value, this.view.colourLayer.value),
  );
  readonly looks = computed(() => {
    const trace = this.choices.value;
    const shownLayer = this.shownExperts.value?.set;
    const pinned = [...this.view.pinned.value, ...this.view.filter.value.experts];
    const made = new Map<ExpertSet, Looks>();
    return (set: ExpertSet): Looks => {
      let looks = made.get(set);
      if (!looks)
        made.set(
          set,
          (looks = trace ? looksOf(trace, set, set === shownLayer ? pinned : []) : { set, slots: new Int16Array() }),
        );
      return looks;
    };
  });

  constructor(private readonly view: ViewSignals) {
    let kept: Trace | undefined;
    this.choices = computed(() => {
      const now = this.trace.value;
      if (!kept || !now || !sameChoices(kept, now)) kept = now;
      return kept;
    });
  }

  private decidingOf(interventions: readonly Intervention[]): readonly Intervention[] {
    return this.choices.value ? deciding(this.choices.value, interventions) : interventions;
  }
}

const none: readonly Intervention[] = [];
const noLenses: readonly Lens[] = [];

/** Traces of one run share their arrays. */
export function sameChoices(a: Trace, b: Trace): boolean {
  return (
    a.blocks.length === b.blocks.length &&
    a.blocks.every(({ chosen }, i) => chosen === b.blocks[i]!.chosen) &&
    a.sequences.every(({ done }, i) => done === b.sequences[i]?.done)
  );
}
