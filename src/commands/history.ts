import * as vscode from 'vscode';
import { numbers } from '../host/numbers.js';
import { expertsIn, strategyLabel } from '../host/strategies.js';
import { whatIfsOf } from '../host/whatIfs.js';
import { counted } from '../host/words.js';
import type { FinishedRun } from '../routing/history.js';
import { isSameResult } from '../routing/runs.js';
import { type Routed, type SideResult, writtenIn } from '../routing/store.js';
import { GanderError } from '../errors/errors.js';
import { plain } from '../trace/text/label.js';
import { meanLogProbOf } from '../trace/figures/summary.js';
import type { Trace } from '../trace/model/trace.js';
import { type Ask, asking, type Item } from './asking.js';
import type { Command, Services } from './services.js';

/** A run to compare with. */
export class Finished {
  constructor(readonly run: FinishedRun) {}
}

/** The last runs of a document, to show one again or compare it with the one on show. No engine is asked. */
export const history: Command = {
  id: 'gander.history',
  async run(services) {
    const shown = services.panels.active?.scene.routed ?? services.documentRouter.current();
    const runs = shown ? services.history.of(shown.uri) : [];
    if (!shown || runs.length === 0)
      throw new GanderError(
        'request-invalid',
        vscode.l10n.t('No run of this text has finished yet.'),
        vscode.l10n.t('Run Route Selection first.'),
      );
    const compare = {
      iconPath: new vscode.ThemeIcon('diff'),
      tooltip: vscode.l10n.t('Compare With the Run on Show'),
    };
    const items = rows(services, runs, shown).map(({ value: run, ...row }): Item<FinishedRun | Finished> => {
      return { ...row, value: run, buttons: [{ ...compare, value: new Finished(run) }] };
    });
    const chosen = await asking((ask) => ask(items, vscode.l10n.t('Run History')));
    if (chosen instanceof Finished) compareFinished(services, shown.id, chosen);
    else if (chosen) showAgain(services, chosen);
  },
};

/** For people who do not use a pointer: not every VS Code has a key for the buttons of a row. */
export async function pickFinished(ask: Ask, services: Services, shown: Routed): Promise<Finished | undefined> {
  const run = await ask(rows(services, services.history.of(shown.uri), shown), vscode.l10n.t('Compare with'));
  return run && new Finished(run);
}

export function compareFinished({ store, runs, panels }: Services, id: number, { run }: Finished): void {
  const main = store.get(id)?.main;
  if (!main) return;
  const { result } = run;
  const title = result.text === main.text ? howItRan(result, main.trace) : result.title;
  runs.compareFinished(id, { ...result, title });
  panels.show(store.get(id)!);
}

function showAgain({ runs, store, panels }: Services, { range, result }: FinishedRun): void {
  runs.showAgain(range, result);
  const routed = store.get(range);
  if (routed) panels.show(routed);
}

/** @param shown the run on show, which is marked */
function rows({ store }: Services, runs: readonly FinishedRun[], shown: Routed): Item<FinishedRun>[] {
  const isOneSource = new Set(runs.map(({ result }) => result.trace.source.name)).size === 1;
  return runs.map((run) => {
    const { range, result, ended } = run;
    const { trace, title, strategy } = result;
    const isShown = range === shown.id && isSameResult(shown.main, result);
    return {
      label: strategyLabel(strategy, expertsIn(trace)),
      description: join([
        ended.toLocaleTimeString(vscode.env.language),
        title,
        !isOneSource && plain(trace.source.name),
        isShown && vscode.l10n.t('on show'),
      ]),
      detail: join([
        ...whatIfsOf(result),
        ...writtenOf(result),
        ...numbersOf(trace),
        store.get(range)?.stale && vscode.l10n.t('the text has changed since'),
      ]),
      value: run,
    };
  });
}

/** How much of what the model wrote a row shows, in UTF-16 code units. */
const written = 40;

/** How what the model wrote begins, by which runs that differ in nothing else are told apart. */
function writtenOf(result: SideResult): string[] {
  const text = writtenIn(result).trim().replace(/\s+/g, ' ');
  if (result.output || text === '') return [];
  const shown = plain(text.slice(0, written)) + (text.length > written ? '…' : '');
  return [vscode.l10n.t('generated “{0}”', shown)];
}

/** How a run differs from another run of the same text. */
function howItRan(result: SideResult & { readonly trace: Trace }, beside: Trace | undefined): string {
  const { source } = result.trace;
  const elsewhere = beside && beside.source.name !== source.name ? [plain(source.name)] : [];
  return [...elsewhere, strategyLabel(result.strategy, expertsIn(result.trace)), ...whatIfsOf(result)].join(', ');
}

/** The number of tokens, as the panel counts them, and the mean log-probability if it is known. */
function numbersOf({ sequences }: Trace): string[] {
  const tokens = sequences.reduce((sum, one) => sum + one.tokens.count, 0);
  const mean = meanLogProbOf(sequences.at(-1)!);
  return [
    counted('tokens', tokens),
    ...(Number.isNaN(mean) ? [] : [vscode.l10n.t('mean log-probability {0} a token', numbers.fixed(mean))]),
  ];
}

const join = (parts: readonly (string | false | undefined)[]): string => parts.filter(Boolean).join(' · ');
