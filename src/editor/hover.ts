import * as vscode from 'vscode';
import { numbers } from '../host/numbers.js';
import { strategyLabel, strategyTitle } from '../host/strategies.js';
import { rangeOf } from '../host/texts.js';
import type { Routed, RoutingStore } from '../routing/store.js';
import { expertStyle } from '../shared/palette.js';
import { layersOf, type Measure } from '../trace/access.js';
import { certaintyAt } from '../trace/distribution.js';
import { plain } from '../trace/label.js';
import { ranked, tokenShares } from '../trace/leaders.js';
import type { Trace } from '../trace/trace.js';
import { bar, column, spark } from './bars.js';

/** How many experts a hover names. */
const named = 3;

const open = 'gander.openPanel';

/** Tells what is known of the token under the mouse; it draws from the store and never asks the engine. */
export class RoutingHover implements vscode.HoverProvider {
  constructor(private readonly store: RoutingStore) {}

  provideHover(document: vscode.TextDocument, position: vscode.Position): vscode.Hover | undefined {
    const uri = document.uri.toString();
    const offset = document.offsetAt(position);
    const routed = this.store.at(uri, offset);
    const trace = routed?.main.trace;
    if (!routed || !trace) return undefined;
    const token = this.store.tokenAt(routed.id, offset);
    if (token === undefined || token >= trace.done) return undefined;
    const spans = this.store.tokenSpans(routed.id)!;
    const range = rangeOf(document, { start: spans.start[token]!, end: spans.end[token]! });
    return new vscode.Hover(this.#text(routed, trace, token), range);
  }

  #text(routed: Routed, trace: Trace, token: number): vscode.MarkdownString {
    // What experts are called comes from outside: it stands in the block of code and nowhere else, so that none becomes markup.
    // Should one do so all the same, it could open the panel and nothing more.
    const out = new vscode.MarkdownString();
    out.isTrusted = { enabledCommands: [open] };
    const { strategy } = trace;
    out.appendText(
      vscode.l10n.t('Gander: {0}', 'k' in strategy ? strategyLabel(strategy) : strategyTitle(strategy.name)),
    );
    if (routed.stale) {
      out.appendText(' · ');
      out.appendText(vscode.l10n.t('the text has changed since it was routed'));
    }
    out.appendMarkdown('\n\n');
    const table = experts(trace, token);
    if (table) out.appendCodeblock(table, 'text');
    else out.appendText(vscode.l10n.t('No expert takes part.'));
    out.appendMarkdown('\n\n');
    out.appendText(certainty(trace, token));
    const where = encodeURIComponent(JSON.stringify([routed.id, token]));
    out.appendMarkdown(`\n\n[${vscode.l10n.t('Show in the routing panel')}](command:${open}?${where})`);
    return out;
  }
}

/** Name, weight and contribution of the leading experts, each over the layers. */
function experts(trace: Trace, token: number): string | undefined {
  const shares = tokenShares(trace, token);
  const leading = ranked(shares).slice(0, named);
  if (leading.length === 0) return undefined;
  const names = column(
    leading.map((e) => `${expertStyle(e).letter} ${oneLine(trace.experts[e]!.name)}`),
    22,
  );
  const percents = leading.map((e) => numbers.percent(shares[e]!));
  const width = Math.max(...percents.map((text) => text.length));
  const weights = overLayers(trace, token, 'weight');
  const contributions = trace.contribution && overLayers(trace, token, 'contribution');
  const most = contributions && Math.max(...contributions.flatMap((layer) => leading.map((e) => layer[e]!)));
  const layers = layersOf(trace);
  const head = vscode.l10n.t('layers {0} to {1}', layers[0] ?? 0, layers.at(-1) ?? 0);
  const lines = leading.flatMap((e, i) => {
    const first = `${names[i]!} ${bar(shares[e]!, 10)} ${percents[i]!.padStart(width)}  ${spark(
      weights.map((layer) => layer[e]!),
      1,
    )}`;
    if (!contributions || !most) return [first];
    const label = vscode.l10n.t('contribution').padStart(names[i]!.length + width + 12);
    return [
      first,
      `${label}  ${spark(
        contributions.map((layer) => layer[e]!),
        most,
      )}`,
    ];
  });
  return [`${' '.repeat(names[0]!.length + width + 14)}${head}`, ...lines].join('\n');
}

/** [L][N]: by weight the share in the layer; by contribution its mean over the layer's modules, not made to add up to 1. */
function overLayers(trace: Trace, token: number, by: Measure): Float32Array[] {
  return layersOf(trace).map((layer) => {
    if (by === 'weight') return tokenShares(trace, token, { layer });
    const sums = new Float32Array(trace.experts.length);
    let modules = 0;
    for (const [m, module] of trace.modules.entries()) {
      if (module.layer !== layer) continue;
      modules++;
      const at = (m * trace.tokens.ids.length + token) * trace.k;
      for (let i = at; i < at + trace.k; i++)
        if (trace.chosen[i]! >= 0) sums[trace.chosen[i]!]! += trace.contribution![i]!;
    }
    return sums.map((sum) => sum / modules);
  });
}

function certainty(trace: Trace, token: number): string {
  const parts: string[] = [];
  const logProb = trace.logProb?.[token];
  if (logProb !== undefined && !Number.isNaN(logProb))
    parts.push(vscode.l10n.t('Probability {0}', numbers.percent(Math.exp(logProb))));
  const margins = trace.modules
    .map((_, m) => certaintyAt(trace, m, token).margin)
    .filter((margin) => !Number.isNaN(margin));
  const margin = margins.reduce((sum, one) => sum + one, 0) / margins.length;
  if (margins.length > 0) parts.push(vscode.l10n.t('mean margin to another choice {0}', numbers.fixed(margin, 3)));
  return parts.join(' · ');
}

function oneLine(text: string): string {
  return plain(text.replace(/\s+/g, ' ').trim());
}
