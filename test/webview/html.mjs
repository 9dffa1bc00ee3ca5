// A page like the host's and equally strict: no inline style, no inline script without the nonce, nothing from elsewhere.

const nonce = 'abcdef0123456789';

/**
 * @param {object} page
 * @param {string} page.inline a script that runs before all others
 * @param {readonly string[]} page.scripts modules, in the order in which they run
 * @param {readonly string[]} page.styles
 * @param {string} [page.bodyClass]
 * @param {string} [page.words] translations, as JSON
 * @param {string} [page.connect] where it may fetch from
 */
export function html({ inline, scripts, styles, bodyClass = '', words = '{}', connect = `'none'` }) {
  const policy = [
    `default-src 'none'`,
    `img-src data:`,
    `font-src 'self'`,
    `style-src 'self'`,
    `script-src 'nonce-${nonce}'`,
    `worker-src blob:`,
    `connect-src ${connect}`,
  ].join('; ');
  return `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width"><title>Gander</title><link rel="icon" href="data:,">
<script nonce="${nonce}">${inline}</script>
${styles.map((file) => `<link rel="stylesheet" href="/${file}">`).join('')}</head>
<body class="${bodyClass}" data-words='${words}'><main id="app"></main>${scripts
    .map((file) => `<script type="module" nonce="${nonce}" src="/${file}"></script>`)
    .join('')}</body></html>`;
}
