import path from 'node:path';
import * as vscode from 'vscode';
import { numbers } from '../host/numbers.js';
import { report } from '../host/notify.js';
import { activeEditor, spansToRoute } from '../host/texts.js';
import { GanderError } from '../errors/errors.js';
import { type Trial, trialOf } from '../similarity/trial.js';
import type { Routed } from '../routing/store.js';
import { addFrom, onThisMachine } from './addExpert.js';
import type { Command, Services } from './services.js';
import { withPatientProgress } from './progress.js';
import { noEditor } from './routeSelection.js';

/** Shows what an expert outside the pool would do to the text: the panel compares the runs without and with it. Nothing is copied. */
export const tryExpert: Command = {
  id: 'gander.tryExpert',
  async run(services) {
    const editor = await activeEditor();
    if (!editor) throw noEditor();
    const picked = await vscode.window.showOpenDialog({
      canSelectFiles: false,
      canSelectFolders: true,
      title: vscode.l10n.t('Folder of the expert to try'),
      openLabel: vscode.l10n.t('Try Expert'),
    });
    const from = picked?.[0];
    if (!from) return;
    const folder = onThisMachine(from);
    const { engine } = services.engines;
    // Refuse an expert that does not fit before routing anything.
    await engine.examine(folder);
    const routed = await routeBoth(services, engine, editor, folder);
    tell(services, from, routed);
  },
};

/** Routes without the expert, and then with it as the other side. */
function routeBoth(
  services: Services,
  engine: Services['engines']['engine'],
  editor: vscode.TextEditor,
  folder: string,
): Promise<Pick<Routed, 'main' | 'other'>> {
  const { documentRouter, engines, panels, runs, store } = services;
  return withPatientProgress(services, vscode.l10n.t('Routing'), async ({ signal, report: onProgress }) => {
    const { id, main } = await documentRouter.route(editor.document, spansToRoute(editor)[0]!, {
      signal,
      onProgress,
      onAdded: (routed) => panels.show(routed),
    });
    const title = vscode.l10n.t('with {0}', path.basename(folder));
    // The output that an encoder-decoder wrote without the expert is also read with it.
    const written = main.trace && main.trace.sequences.length > 1 ? main.trace.sequences.at(-1)!.text : undefined;
    const same = written === undefined ? {} : { target: written };
    // If another pool was chosen in the meantime, the second run would not belong to the first.
    if (engines.engine !== engine)
      throw new GanderError('cancelled', 'Another model was chosen meanwhile.', 'Try the expert again.');
    await runs.compareElsewhere(
      id,
      { title, strategy: main.strategy },
      { route: (request, options) => engine.route({ ...request, ...same, tried: folder }, options) },
      { signal, onProgress },
    );
    return { main, other: store.get(id)?.other };
  });
}

function tell(services: Services, from: vscode.Uri, { main, other }: Pick<Routed, 'main' | 'other'>): void {
  const trial = main.trace && other?.trace && trialOf(path.basename(from.fsPath), main.trace, other.trace);
  if (!trial) return;
  const add = vscode.l10n.t('Add Expert');
  // Not awaited: this command is done, and the person's answer starts something new.
  void vscode.window.showInformationMessage(textOf(trial), add).then(async (chosen) => {
    try {
      if (chosen === add) await addFrom(services, { kind: 'folder', path: onThisMachine(from) });
    } catch (thrown) {
      report(thrown, services.log);
    }
  });
}

/** For the last sequence that the expert took part in: its share, what chance gives, and the change of log-probability. */
function textOf({ name, sequences, logProb }: Trial): string {
  const { share, chance } = sequences.at(-1)!;
  const taken = Number.isNaN(share)
    ? vscode.l10n.t('{0} fits the pool. The strategy chooses no experts.', name)
    : vscode.l10n.t(
        '{0} fits the pool and takes {1} of the choices in this text; chance is {2}.',
        name,
        numbers.percent(share),
        numbers.percent(chance),
      );
  const change = logProb.with - logProb.without;
  if (Number.isNaN(change)) return taken;
  const [from, to] = [numbers.fixed(logProb.without, 3), numbers.fixed(logProb.with, 3)];
  return `${taken} ${
    change >= 0
      ? vscode.l10n.t('Log-probability {0} → {1} nats a token: no worse.', from, to)
      : vscode.l10n.t('Log-probability {0} → {1} nats a token: worse.', from, to)
  }`;
}
