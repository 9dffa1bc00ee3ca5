/** What interventions do at a module. The only place that says so: the engine applies it, and the figures explain traces by it. */
import { matches } from './filter.js';
import { type Acting, Latest } from './latest.js';
import type { Intervention, Scope, RoutedModule, Trace } from './trace.js';

/** What the interventions do at one cell. */
export interface CellBias {
  /** [N] added to the scores before the choice; −∞ for an expert that is knocked out. */
  readonly bias: Float32Array;
  /** The expert that gets weight 1 whatever the scores; −1: none. */
  readonly forced: number;
}

/** Whether a scope names tokens. Such a scope means nothing for another text. */
export function isOfTokens({ token, tokens }: Scope): boolean {
  return token !== undefined || tokens !== undefined;
}

/** Whether a scope applies to any token of a module. */
function isAbout(scope: Scope, module: RoutedModule): boolean {
  // A token's index means nothing in another sequence.
  const sequence = scope.sequence ?? (isOfTokens(scope) ? 0 : undefined);
  return matches(module, { ...scope, sequence });
}

/** Whether an expert is knocked out for some token at one of these modules. @param modules indexes in the trace */
export function isKnockedOut({ interventions, modules: all }: Trace, modules: Int32Array, expert: string): boolean {
  return interventions.some(
    (one) =>
      one.action === 'knock-out' && one.expert === expert && modules.some((module) => isAbout(one.scope, all[module]!)),
  );
}

/** The interventions that apply at one module, with the indexes of their experts. */
export class ModuleWhatIf {
  /** Whether the result depends on the token; if not, it is the same for all cells of the module. */
  readonly byToken: boolean;
  readonly #acting: readonly Acting[];
  readonly #experts: number;
  #named: ReadonlyMap<number, Latest> | undefined;
  #forces: Latest | undefined;
  /** The last result and the tokens that it holds for: text is mostly read from left to right. */
  #made: { readonly from: number; readonly to: number; readonly bias: CellBias } | undefined;

  /** @param acting in the order given, with each expert as an index into the N experts */
  constructor(acting: readonly Acting[], experts: number) {
    this.#acting = acting;
    this.#experts = experts;
    this.byToken = acting.some(({ intervention }) => isOfTokens(intervention.scope));
  }

  at(t: number): CellBias {
    if (!this.#made || t < this.#made.from || t >= this.#made.to) this.#made = this.#make(t);
    return this.#made.bias;
  }

  /** The interventions that decide what happens at any of the first `count` tokens: a forced expert leaves the others nothing. */
  deciding(count: number): Set<Intervention> {
    const all = new Set<Intervention>();
    let t = 0;
    while (t < count) {
      const { latest, held, to } = this.#find(t);
      for (const { intervention } of held ? [held] : latest)
        if (held || intervention.action !== 'force') all.add(intervention);
      t = to;
    }
    return all;
  }

  #make(t: number) {
    const { from, to, latest, held } = this.#find(t);
    const bias = new Float32Array(this.#experts);
    for (const { expert, intervention } of latest) {
      if (intervention.action === 'knock-out') bias[expert] = -Infinity;
      if (intervention.action === 'logit-bias') bias[expert] = intervention.amount;
    }
    return { from, to, bias: { bias, forced: held?.expert ?? -1 } };
  }

  /**
   * What applies to the tokens [from, to) around t. Later interventions on an expert win over earlier ones; a later knock-out or logit
   * bias of a forced expert cancels the force.
   */
  #find(t: number) {
    this.#named ??= byExpert(this.#acting);
    this.#forces ??= new Latest(this.#acting.filter(({ intervention }) => intervention.action === 'force'));
    let [from, to] = [-Infinity, Infinity];
    const look = (latest: Latest) => {
      const found = latest.at(t);
      [from, to] = [Math.max(from, found.from), Math.min(to, found.to)];
      return found.acting;
    };
    const latest = Array.from(this.#named.values(), look).filter((acting) => acting !== undefined);
    const force = look(this.#forces);
    return { from, to, latest, held: force && latest.includes(force) ? force : undefined };
  }
}

function byExpert(acting: readonly Acting[]): Map<number, Latest> {
  const all = new Map<number, Acting[]>();
  for (const one of acting) {
    const known = all.get(one.expert);
    if (known) known.push(one);
    else all.set(one.expert, [one]);
  }
  return new Map(Array.from(all, ([expert, own]) => [expert, new Latest(own)]));
}

/** Cached by what distinguishes modules under these interventions: every view asks for every module, again and again. */
class WhatIfs {
  readonly #interventions: readonly Intervention[];
  readonly #axes: readonly (readonly [keyof Scope, keyof RoutedModule])[];
  readonly #made = new Map<object, Map<string, ModuleWhatIf | undefined>>();

  constructor(interventions: readonly Intervention[]) {
    this.#interventions = interventions;
    this.#axes = axes.filter(([axis]) => interventions.some(({ scope }) => scope[axis] !== undefined));
  }

  at(experts: readonly { readonly id: string }[], module: RoutedModule): ModuleWhatIf | undefined {
    let made = this.#made.get(experts);
    if (!made) this.#made.set(experts, (made = new Map<string, ModuleWhatIf | undefined>()));
    const key = JSON.stringify([module.sequence, ...this.#axes.map(([, of]) => module[of])]);
    if (!made.has(key)) made.set(key, this.#make(experts, module));
    return made.get(key);
  }

  #make(experts: readonly { readonly id: string }[], module: RoutedModule): ModuleWhatIf | undefined {
    const places = new Map<string, number>();
    experts.forEach(({ id }, e) => places.has(id) || places.set(id, e));
    const acting = this.#interventions
      .filter(({ scope }) => isAbout(scope, module))
      .flatMap((intervention) => {
        const expert = places.get(intervention.expert);
        return expert === undefined ? [] : [{ intervention, expert }];
      });
    return acting.length > 0 ? new ModuleWhatIf(acting, experts.length) : undefined;
  }
}

/** The fields of a scope and the fields of a module that they are compared with. Sequences are always compared. */
const axes = [
  ['stack', 'stack'],
  ['layer', 'layer'],
  ['kind', 'kind'],
  ['module', 'path'],
] as const;

const kept = new WeakMap<readonly Intervention[], WhatIfs>();

/**
 * What the interventions do at a module; undefined if none applies. An intervention on an expert that the module does not have is
 * ignored here: a request with an unknown expert is refused on arrival.
 */
export function whatIfAt(
  interventions: readonly Intervention[],
  experts: readonly { readonly id: string }[],
  module: RoutedModule,
): ModuleWhatIf | undefined {
  if (interventions.length === 0) return undefined;
  let all = kept.get(interventions);
  if (!all) kept.set(interventions, (all = new WhatIfs(interventions)));
  return all.at(experts, module);
}

/** Those of the interventions that decide anything in the trace, in their order; for the others, later ones or a forced expert do. */
export function deciding(
  { modules, expertSets, sequences }: Pick<Trace, 'modules' | 'expertSets' | 'sequences'>,
  interventions: readonly Intervention[],
): readonly Intervention[] {
  if (interventions.length < 2) return interventions;
  const all = new Set<Intervention>();
  for (const module of modules) {
    const { experts } = expertSets[module.expertSet]!;
    const { count } = sequences[module.sequence]!.tokens;
    for (const one of whatIfAt(interventions, experts, module)?.deciding(count) ?? []) all.add(one);
  }
  return interventions.filter((one) => all.has(one));
}

/** One intervention more. Asked for again, it is there once, where it decides. */
export function withOneMore(interventions: readonly Intervention[], one: Intervention): Intervention[] {
  const asked = JSON.stringify(one);
  return [...interventions.filter((each) => JSON.stringify(each) !== asked), one];
}
