import * as vscode from 'vscode';
import { openCard as showCard, openModelCard } from '../panel/card.js';
import type { Command } from './services.js';
import { asking } from './asking.js';
import { asNode, pickExpert } from './pick.js';

export const openCard: Command = {
  id: 'gander.openCard',
  async run({ service, engines }, arg) {
    // Its experts have no cards of their own.
    if ((await engines.engine.info()).kind === 'moe') return openModelCard(engines.pool);
    const pool = await service.pool();
    const node = asNode(arg);
    const id =
      node?.kind === 'expert'
        ? node.expert.id
        : await asking((ask) => pickExpert(ask, pool, vscode.l10n.t('Open which model card?')));
    if (id !== undefined) await showCard(pool, id);
    return undefined;
  },
};

export const revealFolder: Command = {
  id: 'gander.revealFolder',
  async run({ engines }, arg) {
    const node = asNode(arg);
    const folder = node?.kind === 'expert' ? node.expert.folder : engines.pool;
    await vscode.commands.executeCommand('revealFileInOS', vscode.Uri.file(folder));
  },
};

/** Shows only one expert in the panels; without an expert, shows all again. */
export const showOnly: Command = {
  id: 'gander.showOnly',
  run({ panels }, arg) {
    const node = asNode(arg);
    panels.filter(node?.kind === 'expert' ? node.expert.id : undefined);
  },
};

export const refresh: Command = {
  id: 'gander.refreshExperts',
  run: ({ engines }) => engines.reload(),
};
