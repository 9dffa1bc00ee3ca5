import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import { translations } from '../host/words.js';
import { escapeHtml } from '../formats/html.js';

/** Where the page's files are; a panel may load nothing else. */
function pageRoots(extension: vscode.Uri): vscode.Uri[] {
  return [vscode.Uri.joinPath(extension, 'dist', 'webview')];
}

export function pageOptions(extension: vscode.Uri): vscode.WebviewOptions {
  return {
    enableScripts: true,
    localResourceRoots: pageRoots(extension),
    enableForms: false,
    enableCommandUris: ['gander.openGlossary'],
  };
}

/** The icon in a page's tab. */
export function pageIcon(extension: vscode.Uri): { readonly light: vscode.Uri; readonly dark: vscode.Uri } {
  const icon = (theme: string) => vscode.Uri.joinPath(extension, 'media', `icon-${theme}.svg`);
  return { light: icon('light'), dark: icon('dark') };
}

/** The names of a page’s script and styles, in order, and its title. */
export interface PageFiles {
  readonly script: string;
  readonly title: string;
  readonly styles: readonly string[];
}

/** The page with its words, but without any data, which comes by message once the page is ready. */
export function pageHtml(
  webview: vscode.Webview,
  extension: vscode.Uri,
  { script, title, styles }: PageFiles = { script: 'panel.js', title: vscode.l10n.t('Routing'), styles: ['panel.css'] },
): string {
  const nonce = randomBytes(16).toString('base64');
  const file = (name: string) =>
    webview.asWebviewUri(vscode.Uri.joinPath(extension, 'dist', 'webview', name)).toString();
  // style-src does not restrict styles set by scripts; style elements in components need the nonce or are adopted.
  const policy = [
    `default-src 'none'`,
    `img-src ${webview.cspSource} data: blob:`,
    `font-src ${webview.cspSource}`,
    `style-src ${webview.cspSource} 'nonce-${nonce}'`,
    `script-src 'nonce-${nonce}'`,
    // The worker that compares long texts is made from the page's own code.
    `worker-src blob:`,
  ].join('; ');
  return `<!DOCTYPE html>
<html lang="${vscode.env.language}">
<head>
  <meta charset="utf-8">
  <meta http-equiv="Content-Security-Policy" content="${policy}">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>${escapeHtml(title)}</title>
${styles.map((name) => `  <link rel="stylesheet" nonce="${nonce}" href="${file(name)}">`).join('\n')}
</head>
<body data-words="${escapeHtml(JSON.stringify(translations()))}">
  <main id="app"></main>
  <script type="module" nonce="${nonce}" src="${file(script)}"></script>
</body>
</html>`;
}

/** Returns a function to call after each await. */
export function whetherDisposed(panel: vscode.WebviewPanel): () => boolean {
  let disposed = false;
  panel.onDidDispose(() => (disposed = true));
  return () => disposed;
}
