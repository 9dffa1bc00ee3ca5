import * as vscode from 'vscode';
import type { RoutingStore } from '../routing/store.js';
import type { Panels } from './panels.js';

const path = '/token';

/** Links from a hover into the panel: addresses of this extension, which need no trusted markup. */
export class TokenLinks implements vscode.UriHandler {
  constructor(
    private readonly extensionId: string,
    private readonly store: RoutingStore,
    private readonly panels: Panels,
  ) {}

  to(id: number, token: number): vscode.Uri {
    return vscode.Uri.from({
      scheme: vscode.env.uriScheme,
      authority: this.extensionId,
      path,
      query: `range=${id}&token=${token}`,
    });
  }

  /** Anyone may make such an address: it can do no more than show what is there. */
  handleUri(uri: vscode.Uri): void {
    if (uri.path !== path) return;
    const query = new URLSearchParams(uri.query);
    const routed = this.store.get(Number(query.get('range')));
    const token = Number(query.get('token'));
    if (!routed || !Number.isInteger(token) || token < 0) return;
    const { page } = this.panels.show(routed, false);
    page.post({ type: 'select', token });
  }
}
