import * as vscode from 'vscode';
import type { ServerInfo } from '../requests/api.js';
import type { KnownServer } from '../host/servers.js';
import { GanderError } from '../errors/errors.js';
import { isOpenToReaders, serverAddress } from '../source/serverAddress.js';
import { asking, type Item } from './asking.js';
import type { Command, Services } from './services.js';
import { useServer } from './pools.js';

/** Uses a model that a server runs, instead of a pool. Gander asks the address what it runs; no text is sent before the person agrees. */
export const connectEngine: Command = {
  id: 'gander.connectEngine',
  async run(services) {
    const { known } = services.engines.servers;
    const choice = known.length === 0 ? another : await asking((ask) => ask(choices(services), title()));
    if (choice === undefined) return;
    if (choice === here) return useServer(undefined);
    if (choice === forget) return forgetOne(services);
    const address = typeof choice === 'string' ? await askAddress() : choice.address;
    if (address !== undefined) await connect(services, address);
  },
};

const [another, forget, here] = ['another', 'forget', 'here'] as const;

type Choice = KnownServer | typeof another | typeof forget | typeof here;

const title = () => vscode.l10n.t('Engine');

function choices({ engines }: Services): Item<Choice>[] {
  return [
    ...serversOf(engines.servers.known, engines.address),
    { label: vscode.l10n.t('$(add) Another Address…'), value: another },
    ...(engines.address === undefined
      ? []
      : [{ label: vscode.l10n.t('$(type-hierarchy) Run on This Machine'), value: here }]),
    { label: vscode.l10n.t('$(trash) Forget One…'), value: forget },
  ];
}

function serversOf(known: readonly KnownServer[], current: string | undefined): Item<KnownServer>[] {
  return known.map((server) => ({
    label: `$(remote) ${server.name}`,
    description: server.address === current ? vscode.l10n.t('current') : '',
    detail: `${server.address} · ${server.engine}`,
    value: server,
  }));
}

/** Also forgets the server's token. Text is sent there again only after the person agrees again. */
async function forgetOne({ engines }: Services): Promise<void> {
  const { servers, address } = engines;
  const chosen = await asking((ask) => ask(serversOf(servers.known, address), vscode.l10n.t('Forget Which?')));
  if (!chosen) return;
  await servers.forget(chosen.address);
  if (chosen.address === address) await useServer(undefined);
}

async function askAddress(): Promise<string | undefined> {
  const typed = await vscode.window.showInputBox({
    title: vscode.l10n.t('Address of vLLM, SGLang or gander-serve'),
    placeHolder: 'http://127.0.0.1:8000',
    ignoreFocusOut: true,
    validateInput: (text) => {
      try {
        serverAddress(text);
        return undefined;
      } catch (thrown) {
        return text.trim() === '' ? undefined : GanderError.from(thrown).message;
      }
    },
  });
  return typed === undefined || typed.trim() === '' ? undefined : serverAddress(typed);
}

/** Asks the server, then the person, and only then uses the server. */
async function connect(services: Services, address: string): Promise<void> {
  const { servers } = services.engines;
  const former = servers.find(address);
  const found = await ask(services, address, await servers.token(address));
  if (!found) return;
  const config = former?.config ?? (await askConfig(found.info));
  if (config === undefined) return;
  if (!former && !(await agreed(found.info))) return;
  const { name, engine } = found.info;
  await servers.remember({ address, name, engine, ...(config !== '' && { config }) }, found.token);
  if (services.engines.address === address) services.engines.reload();
  else await useServer(address);
  // So that the status bar shows it.
  await services.service.describe();
}

interface Answer {
  readonly info: ServerInfo;
  readonly token: string | undefined;
}

/** What the server runs. If the server asks for a token, so does this. Undefined if the person cancelled. */
async function ask(services: Services, address: string, token: string | undefined): Promise<Answer | undefined> {
  const client = await services.engines.servers.client(address, token);
  try {
    const info = await vscode.window.withProgress(
      {
        location: vscode.ProgressLocation.Notification,
        title: vscode.l10n.t('Asking {0} which model it runs', address),
        cancellable: true,
      },
      (_, cancelling) => {
        const stop = new AbortController();
        cancelling.onCancellationRequested(() => stop.abort());
        return client.info(undefined, { signal: stop.signal });
      },
    );
    return { info: info as ServerInfo, token };
  } catch (thrown) {
    const error = GanderError.from(thrown);
    if (error.code !== 'server-refused') throw error;
    const given = await askToken(address, error.message);
    return given === undefined ? undefined : await ask(services, address, given);
  } finally {
    client.dispose();
  }
}

/** Warns of missing encryption before a token is typed. */
async function askToken(address: string, why: string): Promise<string | undefined> {
  const prompt = [
    vscode.l10n.t('{0} It is kept in the system’s secret storage and sent only to this address.', why),
    ...unencrypted(address),
  ];
  const typed = await vscode.window.showInputBox({
    title: vscode.l10n.t('Token'),
    prompt: prompt.join(' '),
    password: true,
    ignoreFocusOut: true,
  });
  return typed === undefined || typed.trim() === '' ? undefined : typed.trim();
}

/** Asks for the model's config.json, because servers do not report everything. Empty: without it; undefined: do not connect. */
async function askConfig(info: ServerInfo): Promise<string | undefined> {
  if (info.engine === 'gander-serve') return '';
  const items: Item<boolean>[] = [
    {
      label: vscode.l10n.t('Go On Without'),
      detail: vscode.l10n.t('Only experts that were seen are shown'),
      value: false,
    },
    {
      label: vscode.l10n.t('Name the Model’s config.json…'),
      detail: vscode.l10n.t('It says how many experts and layers there are; older SGLang needs it'),
      value: true,
    },
  ];
  const named = await asking((pick) =>
    pick(items, vscode.l10n.t('{0} does not report everything about its model', info.name)),
  );
  if (named === undefined) return undefined;
  if (!named) return '';
  const picked = await vscode.window.showOpenDialog({
    filters: { 'config.json': ['json'] },
    title: vscode.l10n.t('The model’s config.json'),
  });
  return picked?.[0]?.fsPath;
}

function unencrypted(address: string): string[] {
  return isOpenToReaders(address)
    ? [vscode.l10n.t('It is sent without encryption: anyone along the way can read it.')]
    : [];
}

/** Says where text will go before any is sent, and asks for agreement. */
async function agreed({ address, name, engine }: ServerInfo): Promise<boolean> {
  const connect = vscode.l10n.t('Connect');
  const detail = [
    vscode.l10n.t(
      'It runs {0} ({1}). What you route, generate from or compare is sent to this address, until you choose a model on this machine (Choose Model…).',
      name,
      engine,
    ),
    ...unencrypted(address),
  ];
  const chosen = await vscode.window.showWarningMessage(
    vscode.l10n.t('Send text to {0}?', address),
    { modal: true, detail: detail.join(' ') },
    connect,
  );
  return chosen === connect;
}
