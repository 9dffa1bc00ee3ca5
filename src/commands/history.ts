import * as vscode from 'vscode';
import { numbers } from '../host/numbers.js';
import { expertsIn, strategyLabel } from '../host/strategies.js';
import { whatIfsOf } from '../host/whatIfs.js';
import { counted, word } from '../host/words.js';
import type { FinishedRun } from '../routing/history.js';
import { isSameResult } from '../routing/runs.js';
import { type Routed, type SideResult, writtenIn } from '../routing/store.js';
import { GanderError } from '../errors/errors.js';
import { plain } from '../trace/text/label.js';
import { writtenWords } from '../trace/text/writtenWords.js';
import { meanLogProbOf } from '../trace/figures/summary.js';
import type { Trace } from '../trace/model/trace.js';
import { type Ask, asking, type Item } from './asking.js';
import type { Command, Services } from './services.js';

type Ran = SideResult & { readonly trace: Trace };

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
    const items = rows(services, runs, shown).map((row): Item<FinishedRun | Finished> => ({
      ...row,
      buttons: isOnShow(row.value, shown) ? [] : [{ ...compare, value: new Finished(row.value) }],
    }));
    const chosen = await asking((ask) => ask(items, vscode.l10n.t('Run History'), lasting(shown)));
    if (chosen instanceof Finished) compareFinished(services, shown.id, chosen);
    else if (chosen) showAgain(services, chosen);
  },
};

/** For people who do not use a pointer: not every VS Code has a key for the buttons of a row. */
export async function pickFinished(ask: Ask, services: Services, shown: Routed): Promise<Finished | undefined> {
  const others = services.history.of(shown.uri).filter((run) => !isOnShow(run, shown));
  const run = await ask(rows(services, others, shown), vscode.l10n.t('Compare with'), lasting(shown));
  return run && new Finished(run);
}

export function compareFinished({ store, runs, panels }: Services, id: number, { run }: Finished): void {
  const main = store.get(id)?.main;
  if (!main) return;
  const { result } = run;
  // The page says its what-ifs itself, where they differ from those of the run on show.
  const title = result.text === main.text ? howItRouted(result, main.trace ?? result.trace) : result.title;
  runs.compareFinished(id, { ...result, title });
  panels.show(store.get(id)!);
}

function showAgain({ runs, store, panels }: Services, { range, result }: FinishedRun): void {
  runs.showAgain(range, result);
  const routed = store.get(range);
  if (routed) panels.show(routed);
}

/** Which runs these are, and how far back they go: a reload ends them. */
const lasting = ({ uri }: Routed) =>
  vscode.l10n.t(
    'Runs of {0} since this window was opened or reloaded',
    vscode.workspace.asRelativePath(vscode.Uri.parse(uri, true)),
  );

function isOnShow({ range, result }: FinishedRun, shown: Routed): boolean {
  return range === shown.id && isSameResult(shown.main, result);
}

/** @param shown the run on show, which is marked */
function rows({ store }: Services, runs: readonly FinishedRun[], shown: Routed): Item<FinishedRun>[] {
  const isOneSource = new Set(runs.map(({ result }) => result.trace.source.name)).size === 1;
  const isOneStrategy = new Set(runs.map(({ result }) => strategyOf(result))).size === 1;
  return runs.map((run) => {
    const { range, result, ended } = run;
    const { trace, title } = result;
    const own = [...whatIfsOf(result), ...writtenOf(result)];
    const isPlain = own.length === 0;
    const strategy = strategyOf(result);
    return {
      // What tells runs of the same text apart. Both lines may be cut off at their end.
      label: [...(isPlain || !isOneStrategy ? [strategy] : []), ...own].join(', '),
      detail: join([
        ended.toLocaleTimeString(vscode.env.language),
        isOnShow(run, shown) && vscode.l10n.t('on show'),
        title,
        isOneStrategy && !isPlain && strategy,
        !isOneSource && plain(trace.source.name),
        ...numbersOf(trace),
        store.get(range)?.stale && vscode.l10n.t('the text has changed since'),
      ]),
      value: run,
    };
  });
}

/** How what the model wrote begins; an encoder-decoder always writes. */
function writtenOf(result: SideResult): string[] {
  const words = result.output ? undefined : writtenWords(writtenIn(result), word);
  return words === undefined ? [] : [words];
}

/** How a run was routed: its strategy, and its model if that is not the one of the run beside it. */
function howItRouted(result: Ran, beside: Trace): string {
  const { source } = result.trace;
  const elsewhere = beside.source.name !== source.name ? [plain(source.name)] : [];
  return [...elsewhere, strategyOf(result)].join(', ');
}

const strategyOf = ({ strategy, trace }: Ran): string => strategyLabel(strategy, expertsIn(trace));

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
