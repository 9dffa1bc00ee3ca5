import * as vscode from 'vscode';
import type { EngineHost } from '../host/engineHost.js';
import { preferredStrategy } from '../host/settings.js';
import { checkText } from '../host/texts.js';
import type { Ask } from './asking.js';
import type { Services } from './services.js';
import { withPatientProgress } from './progress.js';

/** A model other than the one in use. */
export class Elsewhere {
  /** @param chosen an address that the person has agreed to, or a folder on this machine; undefined: still to be asked for */
  constructor(readonly chosen: string | undefined) {}
}

export function pickElsewhere(ask: Ask, { servers, address, bundled }: EngineHost): Promise<Elsewhere | undefined> {
  return ask(
    [
      ...servers.known
        .filter((server) => server.address !== address)
        .map((server) => ({
          label: `$(remote) ${server.name}`,
          detail: server.address,
          value: new Elsewhere(server.address),
        })),
      ...bundled.map(({ title, hint, path }) => ({
        label: `$(type-hierarchy) ${vscode.l10n.t(title)}`,
        description: vscode.l10n.t('comes with Gander'),
        detail: vscode.l10n.t(hint),
        value: new Elsewhere(path),
      })),
      { label: vscode.l10n.t('$(folder) Pool or Model on This Machine…'), value: new Elsewhere(undefined) },
    ],
    vscode.l10n.t('Compare with Which Engine?'),
  );
}

/** Asks the other model with the settings of Route Selection, and disposes of it afterwards. */
export async function compareElsewhere(services: Services, id: number, { chosen }: Elsewhere): Promise<void> {
  const from = chosen ?? (await askFolder());
  if (from === undefined) return;
  const source = services.engines.another(from);
  services.panels.show(services.store.get(id)!);
  try {
    await withPatientProgress(services, vscode.l10n.t('Routing'), async ({ signal }) => {
      const description = await source.describe();
      checkText(services.store.get(id)!.main.text, description.limits.tokens);
      const { name } = description;
      const asked = { title: name, model: name, strategy: preferredStrategy(description) };
      await services.runs.compareElsewhere(id, asked, source, { signal });
    });
  } finally {
    source.dispose();
  }
}

async function askFolder(): Promise<string | undefined> {
  const picked = await vscode.window.showOpenDialog({
    canSelectFiles: false,
    canSelectFolders: true,
    title: vscode.l10n.t('Folder of the pool or model'),
    openLabel: vscode.l10n.t('Compare'),
  });
  return picked?.[0]?.fsPath;
}
