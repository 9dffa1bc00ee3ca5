/** What a unit does where it is chosen: it is knocked out at one token, and for comparison another expert at a random one. */
import { z } from 'zod';
import { mixed } from '../statistics/hash.js';
import { Mean } from '../statistics/mean.js';
import { chosenAt, isSpecial, rowsAt, textTokens } from '../trace/model/access.js';
import type { Intervention, Trace } from '../trace/model/trace.js';
import type { Piece } from './figure.js';
import { type Context, contextKinds } from './figures/contexts.js';

/** How the log-probability of the next token, and the mean of the later ones, changed; null if there are none. In nats. */
const changeSchema = z.object({ next: z.number().nullable(), later: z.number().nullable() });

export type Change = z.infer<typeof changeSchema>;

export const effects = ['next', 'later'] as const;

const placeSchema = z.object({
  unit: z.int().min(0),
  kind: z.enum(contextKinds),
  document: z.string(),
  /** `sequence` and `token` count within the document. */
  sequence: z.int().min(0),
  token: z.int().min(0),
});

/** A context at which a unit is knocked out. */
export type Place = z.infer<typeof placeSchema>;

/** `matched`: at a random token of the same document, one of the other experts that were chosen there. */
export const ablatedSchema = placeSchema.extend({ own: changeSchema, matched: changeSchema });

export type Ablated = z.infer<typeof ablatedSchema>;

export function placesOf(
  units: readonly number[],
  contexts: Readonly<Record<(typeof contextKinds)[number], Context[][]>>,
): Place[] {
  return units.flatMap((unit) =>
    contextKinds.flatMap((kind) =>
      contexts[kind][unit]!.map(({ document, sequence, token }) => ({ unit, kind, document, sequence, token })),
    ),
  );
}

/** What is knocked out at which token of a trace. */
export interface KnockOut {
  readonly intervention: Intervention;
  readonly sequence: number;
  readonly token: number;
}

export interface Trial {
  readonly place: Place;
  readonly own: KnockOut;
  /** Undefined if no other expert was chosen anywhere else. */
  readonly matched: KnockOut | undefined;
}

/** The trials of the places that are in this part of the document. */
export function trialsIn(piece: Piece, places: readonly Place[]): Trial[] {
  const { layout, trace, before, document } = piece;
  return places.flatMap((place) => {
    const token = place.token - before[place.sequence]!.tokens;
    if (token < 0 || token >= trace.sequences[place.sequence]!.done) return [];
    const l = layout.layerOf[place.unit]!;
    const own = place.unit - layout.starts[l]!;
    const hash = mixed(parseInt(document.hash.slice(0, 8), 16), place.token, place.unit);
    const other = otherChoice(piece, l, own, token, hash);
    return [
      {
        place,
        own: knockOut(piece, l, own, token),
        matched: other && knockOut(piece, l, other.expert, other.token),
      },
    ];
  });
}

function knockOut({ layout, trace, modules }: Piece, l: number, expert: number, token: number): KnockOut {
  const { stack, layer, router, experts } = layout.layers[l]!;
  const sequence = trace.sequences.indexOf(modules[l]!.sequence);
  const scope = {
    ...(stack && { stack }),
    ...(layer !== null && { layer }),
    ...(router !== null && { kind: router }),
    sequence,
    token,
  };
  return { intervention: { action: 'knock-out', expert: experts[expert]!.id, scope }, sequence, token };
}

function otherChoice({ trace, modules }: Piece, l: number, own: number, at: number, hash: number) {
  const { sequence, modules: shared } = modules[l]!;
  const rows = Array.from(shared, (s) => rowsAt(trace, s));
  const choices = textTokens(sequence).filter((t) => t !== at && t + 1 < sequence.done);
  const others = (t: number) =>
    [...new Set(rows.flatMap((module) => [...chosenAt(module, t)]))]
      .filter((e) => e >= 0 && e !== own)
      .sort((a, b) => a - b);
  // From a random token on, the first at which another expert was chosen.
  for (let i = 0; i < choices.length; i++) {
    const token = choices[(hash + i) % choices.length]!;
    const found = others(token);
    if (found.length > 0) return { token, expert: found[mixed(hash, token) % found.length]! };
  }
  return undefined;
}

/** Predictions are those of the last sequence. If it is not the one that the knock-out is in, all its tokens come later. */
export function changeOf(base: Trace, changed: Trace, { sequence, token }: KnockOut): Change {
  const [before, after] = [base.sequences.at(-1)!, changed.sequences.at(-1)!];
  if (before.done !== after.done) return { next: null, later: null };
  const at = (t: number) =>
    t < before.done && !isSpecial(before, t) ? (after.logProb?.[t] ?? NaN) - (before.logProb?.[t] ?? NaN) : NaN;
  const reads = sequence === base.sequences.length - 1;
  const later = new Mean();
  for (let t = reads ? token + 2 : 0; t < before.done; t++) later.add(at(t));
  const known = (value: number) => (Number.isNaN(value) ? null : value);
  return { next: known(reads ? at(token + 1) : NaN), later: known(later.value) };
}
