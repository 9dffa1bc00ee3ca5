/** How each token of a text looks and what is said about it: by leading expert, by a number, by a change, by attribution. */
import type { Side } from '../../src/protocol/panel.js';
import { quiet } from '../../src/look/palette.js';
import { firstWritten, isStart, type Layer } from '../../src/trace/model/access.js';
import { isMeasure, type TextMeasure } from '../../src/trace/figures/colouring.js';
import { isRankOnly } from '../../src/trace/figures/leaders.js';
import { layerOf, type ShownExperts } from '../../src/trace/model/shownExperts.js';
import type { Sequence, Trace } from '../../src/trace/model/trace.js';
import type { Store } from '../store/store.js';
import { classes } from '../components/controls.js';
import { isKnownIn } from '../map/model.js';
import { changeWords } from '../map/words.js';
import { classOf, shortLabelOf, type Looks } from '../look/looks.js';
import { expertName, plainName } from '../look/names.js';
import { fixed, percent, t } from '../look/strings.js';
import { spoken } from '../look/tokens.js';
import { attributionIn, placesOf } from '../store/attribution.js';
import { leadersOf, measuredOf } from '../store/sums.js';
import { kindsOfToken, textOf, type TokenStyle } from './tokenSpans.js';

export interface Drawn {
  readonly trace: Trace;
  readonly sequence: Sequence;
  readonly styles: readonly TokenStyle[];
  readonly say: (token: number) => string;
  /** Whether the token's leader is one of the experts. */
  readonly isLedBy: (token: number, experts: readonly string[]) => boolean;
}

export function drawnOf(store: Store, name: Side, index: number): Drawn | undefined {
  const side = store.side(name);
  const trace = side.choices.value;
  const sequence = trace?.sequences[index];
  if (!trace || !sequence) return undefined;
  const drawn = started(outdated(coloured(store, name, trace, index), side.fresh.value));
  return index === trace.sequences.length - 1 ? divided(drawn, side.given.value) : drawn;
}

function coloured(store: Store, name: Side, trace: Trace, index: number): Drawn {
  const side = store.side(name);
  const by = store.colouredBy.value;
  if (by === 'change') return byChange(store, name, trace, index);
  // An input has no predictions, and the other run has no attribution.
  const attributed = by === 'attribution' && name === 'main' && index === trace.sequences.length - 1;
  if (attributed) return byAttribution(trace, index, side.attribution.value!, side.looks.value);
  if (by === 'nothing' || isMeasure(by)) {
    // Numbers need scores, which come last.
    const lazy = side.trace.value ?? trace;
    return byMeasure(lazy, index, isMeasure(by) ? by : undefined, layerOf(trace, store.view.measureLayer.value));
  }
  const shownExperts = side.shownExperts.value;
  return byExperts(trace, index, shownExperts, shownExperts && side.looks.value(shownExperts.set));
}

/** What the tokenizer puts first is not in the document, so nobody knows it from there. */
function started(drawn: Drawn): Drawn {
  const { say, sequence } = drawn;
  if (!isStart(sequence, 0)) return drawn;
  return { ...drawn, say: (i) => (i === 0 ? `${say(i)} · ${t('tokenStart')}` : say(i)) };
}

/** What follows an edit is no longer what the model would say. */
function outdated(drawn: Drawn, fresh: number): Drawn {
  if (fresh >= drawn.styles.length) return drawn;
  const styles = drawn.styles.map((style, i) =>
    i < fresh ? style : { ...style, names: classes(style.names, 'outdated') },
  );
  return { ...drawn, styles };
}

/** Marks what the model wrote, as opposed to what it was given. */
function divided(drawn: Drawn, given: number | undefined): Drawn {
  const first = firstWritten(drawn.sequence, given);
  if (first === drawn.sequence.tokens.count) return drawn;
  const styles = drawn.styles.map((style, i) =>
    i < first ? style : { ...style, names: classes(style.names, 'written', i === first && 'begins') },
  );
  return { ...drawn, styles };
}

/** An expert that a token is coloured by. */
interface Lead {
  /** Identifies the expert: the same number is the same expert. */
  readonly expert: number;
  readonly slot: number;
  readonly shortLabel: string;
  /** 0..1 */
  readonly strength: number;
}

const levelOf = (strength: number): string => `s${Math.min(4, Math.floor(strength * 5))}`;

const bareOf = ({ done }: Sequence, i: number): string => (i >= done ? 'pending' : 'plain');

/** Each token in its expert's colour, with a short label where another expert begins. */
function ledStyles(sequence: Sequence, leadOf: (i: number) => Lead | undefined): TokenStyle[] {
  let former: number | undefined;
  return Array.from({ length: sequence.tokens.count }, (_, i): TokenStyle => {
    const lead = leadOf(i);
    const begins = lead !== undefined && lead.expert !== former;
    former = lead?.expert;
    const own = lead ? [classOf(lead.slot), levelOf(lead.strength)] : [bareOf(sequence, i)];
    return {
      names: classes('t', ...own, begins && 'lead', ...kindsOfToken(sequence, i)),
      // A number of three digits under a token of one character would overlap the next one's.
      letter: begins && lead.shortLabel.length <= textOf(sequence, i).length ? lead.shortLabel : '',
    };
  });
}

/** Strength is relative to the share that only one token in twenty exceeds: a single outlier must not make all others pale. */
function strongest(share: Float32Array): number {
  const sorted = share.filter((x) => x > 0).sort();
  return sorted[Math.floor((sorted.length - 1) * 0.95)] ?? 1;
}

function byExperts(
  trace: Trace,
  index: number,
  shownExperts: ShownExperts | undefined,
  looks: Looks | undefined,
): Drawn {
  const sequence = trace.sequences[index]!;
  const part = shownExperts?.parts[index];
  const leaders = part && leadersOf(trace, part);
  const most = leaders ? strongest(leaders.share) : 1;
  const leader = (i: number) => leaders?.expert[i] ?? -1;
  return {
    trace,
    sequence,
    styles: ledStyles(sequence, (i) => {
      const e = leader(i);
      return e < 0
        ? undefined
        : {
            expert: e,
            slot: looks?.slots[e] ?? quiet,
            shortLabel: shortLabelOf(part!.set, e),
            strength: leaders!.share[i]! / most,
          };
    }),
    say: (i) => {
      const text = spoken(sequence, i);
      const e = leader(i);
      if (i >= sequence.done) return t('tokenPending', text, i + 1);
      if (!part) return t('tokenElsewhere', text, i + 1);
      if (e < 0 && !isKnownIn(trace, part, i)) return t('tokenMeasured', text, i + 1, t('unknownCell'));
      if (e < 0) return t('tokenPlain', text, i + 1);
      const name = shownExperts.layer ? expertName(part.set, e, shownExperts.layer) : plainName(part.set, e);
      return isRankOnly(trace, part)
        ? t('tokenFirst', text, i + 1, name)
        : t('tokenSpoken', text, i + 1, name, percent(leaders!.share[i]!));
    },
    isLedBy: (i, experts) => experts.includes(part?.experts[leader(i)]?.id ?? ''),
  };
}

function byAttribution(
  trace: Trace,
  index: number,
  found: Parameters<typeof attributionIn>[0],
  looks: (set: Looks['set']) => Looks,
): Drawn {
  const sequence = trace.sequences[index]!;
  const { expert, nats } = attributionIn(found);
  const places = placesOf(trace, found.experts, looks);
  const most = strongest(nats);
  return {
    trace,
    sequence,
    styles: ledStyles(sequence, (i) => {
      const place = places[expert[i] ?? -1];
      return (
        place && {
          expert: expert[i]!,
          slot: place.looks.slots[place.expert]!,
          shortLabel: shortLabelOf(place.looks.set, place.expert),
          strength: nats[i]! / most,
        }
      );
    }),
    say: (i) => {
      const e = expert[i] ?? -1;
      const text = spoken(sequence, i);
      return e < 0
        ? t('tokenAttributionNone', text, i + 1)
        : t('tokenAttribution', text, i + 1, fixed(nats[i]!), places[e]?.name ?? found.experts[e]!.name);
    },
    isLedBy: (i, experts) => experts.includes(found.experts[expert[i] ?? -1]?.id ?? ''),
  };
}

/** Coloured by a number; what is said about a token names it. */
function byNumber(
  trace: Trace,
  index: number,
  strengthOf: (i: number) => number,
  hueOf: (i: number) => string | undefined,
  said: (i: number) => string | undefined,
): Drawn {
  const sequence = trace.sequences[index]!;
  return {
    trace,
    sequence,
    styles: Array.from({ length: sequence.tokens.count }, (_, i) => {
      const strength = strengthOf(i);
      const own = Number.isNaN(strength) ? [bareOf(sequence, i)] : ['measured', hueOf(i), levelOf(strength)];
      return { names: classes('t', ...own, ...kindsOfToken(sequence, i)), letter: '' };
    }),
    say: (i) => {
      const text = spoken(sequence, i);
      if (i >= sequence.done) return t('tokenPending', text, i + 1);
      const words = Number.isNaN(strengthOf(i)) ? undefined : said(i);
      return words === undefined ? t('tokenAlone', text, i + 1) : t('tokenMeasured', text, i + 1, words);
    },
    isLedBy: () => true,
  };
}

function byMeasure(trace: Trace, index: number, by: TextMeasure | undefined, layer: Layer | undefined): Drawn {
  const found = by && measuredOf(trace, index, by, layer);
  return byNumber(
    trace,
    index,
    (i) => found?.strength[i] ?? NaN,
    () => undefined,
    (i) => by && `${t(`colour_${by}`)} ${fixed(found!.value[i]!)}`,
  );
}

/** How a token changed; in the other run's text, how its partner in this one did. */
function byChange(store: Store, name: Side, trace: Trace, index: number): Drawn {
  const change = store.changes.value?.[index];
  const beside = name === 'other' ? store.partners.value?.[index]?.back : undefined;
  const valueOf = (i: number) => change?.value[beside ? (beside[i] ?? -1) : i] ?? NaN;
  const isByChoices = change?.by === 'choices';
  return byNumber(
    trace,
    index,
    (i) => Math.min(1, Math.abs(valueOf(i)) / (change?.most ?? 1)),
    (i) => (!isByChoices && valueOf(i) >= 0 ? 'gain' : undefined),
    (i) => (isByChoices ? t('differs', percent(valueOf(i))) : changeWords(valueOf(i))),
  );
}
