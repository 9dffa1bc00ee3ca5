import * as vscode from 'vscode';

const scheme = 'gander-row';

/** Shows the texts of rows of data as documents that cannot be changed. */
export class AtlasRows implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #texts = new Map<string, string>();
  readonly #subscriptions = [
    vscode.workspace.registerTextDocumentContentProvider(scheme, this),
    vscode.workspace.onDidCloseTextDocument(({ uri }) => this.#texts.delete(uri.toString())),
  ];

  /** @param hash of the text, which tells its versions apart */
  uriOf(place: string, text: string, hash: string): vscode.Uri {
    const uri = vscode.Uri.from({ scheme, path: `/${place.split('/').at(-1) ?? place}`, query: hash });
    this.#texts.set(uri.toString(), text);
    return uri;
  }

  provideTextDocumentContent(uri: vscode.Uri): string | undefined {
    return this.#texts.get(uri.toString());
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }
}
