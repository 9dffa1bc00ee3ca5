import path from 'node:path';
import * as vscode from 'vscode';
import type { Plan } from '../atlas/calls.js';
import { folderEnding, rowEndings } from '../atlas/place.js';
import { GanderError } from '../errors/errors.js';
import type { AskedCorpus } from '../host/atlasMaking.js';
import { report } from '../host/notify.js';
import { numbers } from '../host/numbers.js';
import { preferredStrategy } from '../host/settings.js';
import { strategyLabel } from '../host/strategies.js';
import { counted } from '../host/words.js';
import type { SourceDescription } from '../requests/description.js';
import { plain } from '../trace/text/label.js';
import { duration } from '../words/duration.js';
import { asNode } from './pick.js';
import type { Command, Services } from './services.js';

/** Makes an atlas of what is selected in the file explorer, or of what is chosen, in the background. */
export const makeAtlas: Command = {
  id: 'gander.makeAtlas',
  async run(services, clicked, selected) {
    services.making.checkFree();
    const given = filesAmong(Array.isArray(selected) ? selected : [clicked]);
    const files = given.length > 0 ? given : await chooseFiles();
    if (files.length === 0) return;
    const source = await services.service.describe();
    const asked = await askedOf(services, source, files);
    if (!asked) return;
    const plan = await lookAt(services, asked);
    if (!(await agreesTo(plan, asked, source))) return;
    const target = await chooseTarget(files[0]!);
    if (target === undefined) return;
    // Not awaited: it may take hours, and says itself when it is done.
    void services.making.make({ ...asked, target }).catch((thrown: unknown) => report(thrown, services.log));
  },
};

/** Continues an atlas that was begun: a node of the tree. */
export const continueAtlas: Command = {
  id: 'gander.continueAtlas',
  run({ making, log }, clicked) {
    const node = asNode(clicked);
    if (node?.kind === 'atlas') void making.make(node.atlas.asked).catch((thrown: unknown) => report(thrown, log));
  },
};

/** Deletes what is done of an atlas that was begun. */
export const discardAtlas: Command = {
  id: 'gander.discardAtlas',
  async run({ making }, clicked) {
    const node = asNode(clicked);
    if (node?.kind === 'atlas') await making.discard(node.atlas.asked);
  },
};

/** Ends the run in the background; what is done is kept. */
export const stopAtlas: Command = {
  id: 'gander.stopAtlas',
  run: ({ making }) => making.stop(),
};

function filesAmong(items: readonly unknown[]): string[] {
  const uris = items.filter((item): item is vscode.Uri => item instanceof vscode.Uri);
  const elsewhere = uris.find(({ scheme }) => scheme !== 'file');
  if (!elsewhere) return uris.map(({ fsPath }) => fsPath);
  throw new GanderError(
    'request-invalid',
    vscode.l10n.t('{0} is not on this machine.', elsewhere.path),
    vscode.l10n.t('Copy the documents to this machine first.'),
  );
}

async function chooseFiles(): Promise<string[]> {
  const picked = await vscode.window.showOpenDialog({
    canSelectFiles: true,
    canSelectFolders: true,
    canSelectMany: true,
    title: vscode.l10n.t('Documents of the atlas: folders, files, or rows of data (.jsonl, .parquet)'),
    openLabel: vscode.l10n.t('Make Atlas'),
  });
  return filesAmong(picked ?? []);
}

/** Asks how the corpus is to be read. Undefined if the person cancels. */
async function askedOf(
  { making, engines }: Services,
  source: SourceDescription,
  given: readonly string[],
): Promise<AskedCorpus | undefined> {
  const fields = await making.fields(given);
  const isData = given.every((file) => rowEndings.some((ending) => file.endsWith(ending)));
  const text = fields.length === 0 || fields.includes('text') ? 'text' : await askText(fields);
  if (text === undefined) return undefined;
  const others = fields.filter((field) => field !== text);
  const label = await (isData ? askLabelOfRow(others) : askLabelOfFile());
  if (label === undefined) return undefined;
  const target = isData && source.can.target ? await askOutput(others) : null;
  if (target === undefined) return undefined;
  const strategy = source.can.strategies.length > 0 ? preferredStrategy(source) : undefined;
  return {
    given,
    corpus: { label, text, id: null, target, shard: null },
    model: engines.address ?? engines.pool,
    ...(strategy && { strategy }),
  };
}

interface Item<T> extends vscode.QuickPickItem {
  readonly value: T;
}

async function pick<T>(title: string, items: readonly Item<T>[]): Promise<T | undefined> {
  return (await vscode.window.showQuickPick(items, { title }))?.value;
}

const asItems = (fields: readonly string[]): Item<string>[] =>
  fields.map((field) => ({ label: plain(field), value: field }));

function askText(fields: readonly string[]): Promise<string | undefined> {
  return pick(vscode.l10n.t('Which field has the text?'), asItems(fields));
}

function askLabelOfRow(fields: readonly string[]): Promise<string | undefined> {
  const none = { label: vscode.l10n.t('No Label'), value: 'none' };
  return pick(vscode.l10n.t('Which field is a document’s label?'), [...asItems(fields), none]);
}

function askLabelOfFile(): Promise<string | undefined> {
  return pick(vscode.l10n.t('What is a document’s label?'), [
    {
      label: vscode.l10n.t('Its Folder'),
      detail: vscode.l10n.t('The first folder below the one that was chosen; of a file chosen by itself, its own'),
      value: 'folder',
    },
    { label: vscode.l10n.t('Its File Extension'), value: 'extension' },
    { label: vscode.l10n.t('No Label'), value: 'none' },
  ]);
}

/** The field with the output, for an encoder-decoder. */
function askOutput(fields: readonly string[]): Promise<string | null | undefined> {
  const written = { label: vscode.l10n.t('What the Model Writes'), value: null };
  return pick<string | null>(vscode.l10n.t('Which field has the output?'), [written, ...asItems(fields)]);
}

async function lookAt({ making }: Services, asked: AskedCorpus): Promise<Plan> {
  const title = vscode.l10n.t('Looking at the documents');
  return vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title, cancellable: true },
    async (progress, token) => {
      const abort = new AbortController();
      token.onCancellationRequested(() => abort.abort());
      const onProgress = (done: number) => progress.report({ message: counted('documentCount', done) });
      return making.look(asked, { signal: abort.signal, onProgress });
    },
  );
}

/** Shows what it will take. @throws GanderError `text-empty` if there is nothing to read */
async function agreesTo(plan: Plan, { strategy }: AskedCorpus, { name, experts }: SourceDescription): Promise<boolean> {
  const { documents, labels, leftOut, estimate } = plan;
  const [first] = leftOut;
  const left = first ? counted('leftOutCount', leftOut.length, plain(first.document), first.why) : '';
  if (documents === 0)
    throw new GanderError(
      'text-empty',
      vscode.l10n.t('There is nothing to read here. {0}', left).trim(),
      vscode.l10n.t('Choose documents that contain UTF-8 text.'),
    );
  const count = counted('documentCount', documents);
  const model = strategy ? `${name}, ${strategyLabel(strategy, experts)}` : name;
  const takes = estimate
    ? vscode.l10n.t(
        '{0}, about {1} tokens: about {2} with {3}.',
        count,
        numbers.whole(estimate.tokens),
        duration(1000 * Math.max(1, estimate.seconds)),
        model,
      )
    : vscode.l10n.t('{0}. They are saved traces, so no model runs.', count);
  const named =
    labels.length > 0
      ? counted('labelCount', labels.length, listed(labels))
      : vscode.l10n.t('No labels: what an expert is specialised in cannot be found.');
  const make = vscode.l10n.t('Make Atlas…');
  const detail = [takes, named, left].filter((line) => line !== '').join('\n');
  const chosen = await vscode.window.showInformationMessage(
    vscode.l10n.t('Make an atlas of this?'),
    { modal: true, detail },
    make,
  );
  return chosen === make;
}

/** How many labels are named. */
const mostNamed = 8;

function listed(labels: readonly string[]): string {
  const named = labels.slice(0, mostNamed).map(plain);
  return [...named, ...(labels.length > mostNamed ? ['…'] : [])].join(', ');
}

/** Undefined if the person cancels. */
async function chooseTarget(first: string): Promise<string | undefined> {
  const { dir, name } = path.parse(first);
  const chosen = await vscode.window.showSaveDialog({
    defaultUri: vscode.Uri.file(path.join(dir, `${name}${folderEnding}`)),
    title: vscode.l10n.t('Where to put the atlas'),
    saveLabel: vscode.l10n.t('Make Atlas'),
  });
  if (!chosen) return undefined;
  filesAmong([chosen]);
  return chosen.fsPath.endsWith(folderEnding) ? chosen.fsPath : `${chosen.fsPath}${folderEnding}`;
}
