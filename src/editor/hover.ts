import * as vscode from 'vscode';
import type { Atlases } from '../host/atlases.js';
import type { AtlasUnit } from '../protocol/atlas.js';
import { type Colours, colourWords, expertName, layerName } from '../host/colours.js';
import { numbers } from '../host/numbers.js';
import { routerLabel, strategyTitle } from '../host/strategies.js';
import { rangeOf } from '../host/texts.js';
import { whatIfsOf } from '../host/whatIfs.js';
import { counted, word } from '../host/words.js';
import type { Routed, RoutingStore } from '../routing/store.js';
import { bar } from '../look/bar.js';
import { says } from '../look/names.js';
import { quiet } from '../look/palette.js';
import { labelledName } from '../look/shortLabels.js';
import {
  chosenAt,
  isKnown,
  type Layer,
  layersOf,
  type ModuleFilter,
  rowsAt,
  type SharedModules,
  sharedModules,
  modulesOf,
} from '../trace/model/access.js';
import { slotsIn } from '../trace/figures/colours.js';
import { certaintyOfToken } from '../trace/figures/distribution.js';
import type { ColourChoice, TextMeasure } from '../trace/figures/colouring.js';
import { layerText, plain } from '../trace/text/label.js';
import { ranked, tokenShares } from '../trace/figures/leaders.js';
import { type Measure, measureOf } from '../trace/figures/measure.js';
import { layerKey } from '../trace/model/shownExperts.js';
import type { Trace } from '../trace/model/trace.js';
import { column, spark, thinned } from './bars.js';
import { changed } from './overlaid.js';
import { tonesOf } from './tones.js';

/** How many experts a hover names. */
const named = 3;

/** How many layers are listed, if each layer has its own experts. */
const listedLayers = 12;

/** In characters, so that a line fits next to the panel: an editor 500 pixels wide has room for about 50. */
const [nameWidth, barWidth, sparkWidth, calledWidth] = [16, 5, 15, 32];

const [open, openUnit, openGlossary] = ['gander.openPanel', 'gander.showInAtlas', 'gander.openGlossary'];

/** Shows what is known about the token under the mouse. It reads the store and never asks the engine. */
export class RoutingHover implements vscode.HoverProvider {
  constructor(
    private readonly store: RoutingStore,
    private readonly colours: Colours,
    private readonly atlases: Atlases,
  ) {}

  provideHover(document: vscode.TextDocument, position: vscode.Position): vscode.Hover | undefined {
    const uri = document.uri.toString();
    const offset = document.offsetAt(position);
    const routed = this.store.at(uri, offset);
    const trace = routed?.main.trace;
    if (!routed || !trace) return undefined;
    const token = this.store.tokenAt(routed.id, offset);
    if (token === undefined || token >= trace.sequences[0]!.done) return undefined;
    const spans = this.store.tokenSpans(routed.id)!;
    const span = { start: spans.start[token]!, end: spans.end[token]! };
    const isFresh = span.end <= routed.span.start + routed.fresh;
    return new vscode.Hover(this.#text(routed, trace, token, isFresh), rangeOf(document, span));
  }

  #text(routed: Routed, trace: Trace, token: number, isFresh: boolean): vscode.MarkdownString {
    // Experts' names come from outside, so they appear only in the code block, where they cannot act as markup. If one did all the
    // same, all it could do is open the panel, the atlas or the glossary.
    const out = new vscode.MarkdownString();
    out.isTrusted = { enabledCommands: [open, openUnit, openGlossary] };
    const { router } = trace;
    const label = router.k === undefined ? strategyTitle(router.name) : routerLabel(router);
    appendWords(out, vscode.l10n.t('Gander: {0}', label));
    const where = encodeURIComponent(JSON.stringify([routed.id, token]));
    // Before anything that may be long, because a hover shows only a few lines without scrolling.
    out.appendMarkdown(` · [${vscode.l10n.t('Show in the routing panel')}](command:${open}?${where})`);
    const shared = sharedModules(trace, { sequence: 0 });
    const choice = this.colours.of(routed);
    const unit = shared
      ? leadingUnit(trace, shared, token, this.atlases)
      : firstUnit(trace, token, choice, this.atlases);
    if (unit) {
      const key = encodeURIComponent(JSON.stringify([unit.key]));
      out.appendMarkdown(` · [${vscode.l10n.t('Show in the atlas')}](command:${openUnit}?${key})`);
    }
    const asked = whatIfsOf(routed.main).map(oneLine);
    if (asked.length > 0) appendWords(out, ` · ${counted('withWhatIfs', asked.length)}`);
    if (trace.sequences.length > 1) appendWords(out, ` · ${word('ofSequence', word(trace.sequences[0]!.role))}`);
    if (!isFresh) appendWords(out, ` · ${vscode.l10n.t('the text has changed since it was routed')}`);
    out.appendMarkdown('\n\n');
    // They name experts.
    if (asked.length > 0) out.appendCodeblock(asked.join('\n'), 'text');
    const isTold = isKnownIn(trace, {}, token);
    const table = shared
      ? experts(trace, shared, token, this.atlases)
      : layerExpertLines(trace, token, choice, this.atlases);
    if (!isTold) appendWords(out, vscode.l10n.t('The source says nothing about this token.'));
    else if (table) out.appendCodeblock(table, 'text');
    else appendWords(out, vscode.l10n.t('No expert takes part.'));
    out.appendMarkdown('\n\n');
    const change = this.colours.overlayOf(routed.id) === 'change' ? changeText(routed, token) : undefined;
    if (change !== undefined) {
      appendWords(out, change);
      out.appendMarkdown('\n\n');
    }
    const certain = certainty(trace, token, choice);
    appendWords(out, certain === '' ? '' : `${certain} · `);
    out.appendMarkdown(`[${vscode.l10n.t('What these words mean')}](command:${openGlossary})`);
    return out;
  }
}

/** With spaces at which a line can be broken: `appendText` makes every space one at which it cannot, so a long text would be cut off. */
function appendWords(out: vscode.MarkdownString, text: string): void {
  text.split(' ').forEach((part, i) => {
    if (i > 0) out.appendMarkdown(' ');
    out.appendText(part);
  });
}

function leadingUnit(trace: Trace, shared: SharedModules, token: number, atlases: Atlases): AtlasUnit | undefined {
  const [leader] = ranked(tokenShares(trace, shared, token));
  return leader === undefined ? undefined : atlases.unit(undefined, shared.experts[leader]!.id);
}

/** Of the layer that colours the text, or else the first. */
function firstUnit(trace: Trace, token: number, choice: ColourChoice, atlases: Atlases): AtlasUnit | undefined {
  const layer = tonesOf(trace, choice).layer ?? layersOf(trace, { sequence: 0 })[0];
  return layer && layerChoices(trace, token, layer, atlases)[0]?.unit;
}

/** Name, weight and contribution of the leading experts, over the layers; what the atlas calls one if it says something else. */
function experts(trace: Trace, shared: SharedModules, token: number, atlases: Atlases): string | undefined {
  const shares = tokenShares(trace, shared, token);
  const leading = ranked(shares).slice(0, named);
  if (leading.length === 0) return undefined;
  const slots = slotsIn(trace, shared.set);
  const names = column(
    leading.map((e) => oneLine(slots[e] === quiet ? shared.experts[e]!.name : labelledName(shared.experts, e))),
    nameWidth,
  );
  const percents = leading.map((e) => numbers.percent(shares[e]!));
  const widest = Math.max(...percents.map((text) => text.length));
  const heads = leading.map((e, i) => `${names[i]!} ${bar(shares[e]!, barWidth)} ${percents[i]!.padStart(widest)}  `);
  const lead = (by: Measure) => {
    const layers = overLayers(trace, shared, token, by);
    return leading.map((e) =>
      thinned(
        layers.map((layer) => layer[e]!),
        sparkWidth,
      ),
    );
  };
  const weights = lead('weight');
  const contributions =
    measureOf(trace, shared.modules, 'contribution') === 'contribution' ? lead('contribution') : undefined;
  const most = contributions && Math.max(...contributions.flat());
  // Each says its own highest block, which is the scale of all: a weight's is 100 %.
  const labels = contributions?.map(
    (values) => `${vscode.l10n.t('contribution up to {0}', numbers.percent(Math.max(...values)))}  `,
  );
  const width = Math.max(heads[0]!.length, ...(labels ?? []).map(({ length }) => length));
  const lines = leading.flatMap((e, i) => {
    const first = `${heads[i]!.padEnd(width)}${spark(weights[i]!, 1)}`;
    const name = nameOf(atlases.unit(undefined, shared.experts[e]!.id));
    const called =
      name === undefined || says(shared.experts[e]!.name, name) ? [] : [`  · ${word('atlasCalled', name)}`];
    const more = contributions && most ? [`${labels![i]!.padStart(width)}${spark(contributions[i]!, most)}`] : [];
    return [first, ...called, ...more];
  });
  const above = layersText(trace);
  const rows = [above.padStart(Math.min(width + above.length, width + sparkWidth)), ...lines];
  // No row may be broken: the box becomes as wide as the longest, and sentences break in it.
  return rows.join('\n').replaceAll(' ', '\u00a0');
}

/** The layers that the blocks of a chart stand for. */
function layersText(trace: Trace): string {
  const layers = layersOf(trace, { sequence: 0 });
  const each = Math.ceil(layers.length / sparkWidth);
  const span = vscode.l10n.t('layers {0} to {1}', layerText(layers[0]!), layerText(layers.at(-1)!));
  return each === 1 ? span : vscode.l10n.t('{0}, each block is {1} layers', span, each);
}

/** [L][N]: by weight, the share in the layer; by contribution, the mean over the layer's modules, which need not add up to 1. */
function overLayers(trace: Trace, shared: SharedModules, token: number, by: Measure): Float32Array[] {
  return layersOf(trace, { sequence: 0 }).map((layer) => {
    const inLayer = { ...layer, sequence: 0 };
    // If modules share their experts, so does any subset of them.
    if (by === 'weight') return tokenShares(trace, sharedModules(trace, inLayer)!, token);
    const sums = new Float32Array(shared.experts.length);
    const modules = modulesOf(trace, inLayer);
    for (const s of modules) {
      const rows = rowsAt(trace, s);
      chosenAt(rows, token).forEach((e, i) => {
        if (e >= 0) sums[e]! += rows.contribution![token * rows.k + i]!;
      });
    }
    return sums.map((sum) => sum / modules.length);
  });
}

/**
 * One line per layer, the one that colours the text first and in detail. Nothing is added up, because an expert's name means
 * nothing in another layer.
 */
function layerExpertLines(trace: Trace, token: number, choice: ColourChoice, atlases: Atlases): string | undefined {
  const { layer: inColour } = tonesOf(trace, choice);
  const others = layersOf(trace, { sequence: 0 }).filter((one) => !inColour || layerKey(one) !== layerKey(inColour));
  const lines = inColour ? inFull(trace, token, inColour, atlases) : [];
  for (const layer of others.slice(0, listedLayers)) {
    const chosen = layerChoices(trace, token, layer, atlases);
    const texts = chosen.slice(0, named).map(({ name, weight }) => {
      return weight === undefined || Number.isNaN(weight) ? name : `${name} (${numbers.percent(weight)})`;
    });
    const more = chosen.length - texts.length;
    const said = texts.length > 0 ? texts.join(', ') : noneWords(trace, token, layer);
    lines.push(`${layerName(layer)}: ${said}${more > 0 ? `, +${more}` : ''}`);
  }
  if (others.length > listedLayers) lines.push(counted('moreLayers', others.length - listedLayers));
  return lines.length > 0 ? lines.join('\n') : undefined;
}

interface Choice {
  /** With what the atlas calls it. */
  readonly name: string;
  readonly unit: AtlasUnit | undefined;
  readonly weight: number | undefined;
}

function layerChoices(trace: Trace, token: number, layer: Layer, atlases: Atlases): Choice[] {
  return Array.from(modulesOf(trace, { ...layer, sequence: 0 })).flatMap((s) => {
    const rows = rowsAt(trace, s);
    const weights = rows.weight?.subarray(token * rows.k, (token + 1) * rows.k);
    return Array.from(chosenAt(rows, token), (e, i) => ({ e, weight: weights?.[i] }))
      .filter(({ e }) => e >= 0)
      .map(({ e, weight }) => {
        const unit = atlases.unit(layer, rows.set.experts[e]!.id);
        const [name, called] = [expertName(rows.set, e), nameOf(unit)];
        return { name: called === undefined ? name : word('atlasNamed', name, called), unit, weight };
      });
  });
}

/** `layer 12, expert 87 ████ 31 %`, one line per chosen expert. */
function inFull(trace: Trace, token: number, layer: Layer, atlases: Atlases): string[] {
  const chosen = layerChoices(trace, token, layer, atlases);
  if (chosen.length === 0) return [`${layerName(layer)}: ${noneWords(trace, token, layer)}`];
  const names = column(
    chosen.map(({ name }) => word('expertOfLayer', layerName(layer), name)),
    40,
  );
  return chosen.map(({ weight }, i) =>
    weight === undefined || Number.isNaN(weight)
      ? names[i]!.trimEnd()
      : `${names[i]!} ${bar(weight, 10)} ${numbers.percent(weight)}`,
  );
}

/** Whether the source says anything about a token at any of the modules. */
function isKnownIn(trace: Trace, filter: ModuleFilter, token: number): boolean {
  return modulesOf(trace, { ...filter, sequence: 0 }).some((s) => isKnown(rowsAt(trace, s), token));
}

/** Where no expert is named. */
function noneWords(trace: Trace, token: number, layer: Layer): string {
  return word(isKnownIn(trace, layer, token) ? 'none' : 'unknownCell');
}

/** How the token differs where the panel colours the text by that; undefined if that is not known. */
function changeText(routed: Routed, token: number): string | undefined {
  const change = changed(routed);
  const x = change?.value[token] ?? NaN;
  if (!change || Number.isNaN(x)) return undefined;
  const said =
    change.by === 'choices'
      ? word('differs', numbers.percent(x))
      : word(x < 0 ? 'changeWorse' : 'changeBetter', numbers.signed(x));
  const { other } = routed;
  return other?.trace
    ? vscode.l10n.t('Compared with {0}: {1}', oneLine(other.title), said)
    : vscode.l10n.t('Compared with the run without what-ifs: {0}', said);
}

/** Margins are mostly small. */
const marginDigits = 3;

function certainty(trace: Trace, token: number, choice: ColourChoice): string {
  const parts: string[] = [];
  const { measured: found, layer } = tonesOf(trace, choice);
  // What colours the text is said first, and only there.
  const colours = (by: TextMeasure) => found !== undefined && choice.by === by;
  const measured = found?.value[token];
  if (measured !== undefined && !Number.isNaN(measured))
    parts.push(`${colourWords(trace, choice)!}: ${numbers.fixed(measured, colours('margin') ? marginDigits : 2)}`);
  const logProb = trace.sequences[0]!.logProb?.[token];
  if (!colours('probability') && logProb !== undefined && !Number.isNaN(logProb))
    parts.push(vscode.l10n.t('Probability {0}', numbers.percent(Math.exp(logProb))));
  const { margin } = certaintyOfToken(trace, token, { sequence: 0 });
  const isSaid = colours('margin') && layer === undefined;
  if (!isSaid && !Number.isNaN(margin)) {
    const behind = numbers.fixed(margin, marginDigits);
    parts.push(vscode.l10n.t('the best expert left out is {0} behind on average (mean margin)', behind));
  }
  return parts.join(' · ');
}

function nameOf(unit: AtlasUnit | undefined): string | undefined {
  const name = unit?.name === undefined ? undefined : oneLine(unit.name);
  return name !== undefined && name.length > calledWidth ? `${name.slice(0, calledWidth - 1)}…` : name;
}

function oneLine(text: string): string {
  return plain(text.replace(/\s+/g, ' ').trim());
}
