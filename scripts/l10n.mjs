// Writes l10n/bundle.l10n.json: every string that src/ shows through vscode.l10n.t, every word of the page
// (src/shared/words.ts), what strategies are called (src/strategies) and why a source cannot do something (src/source), in one
// place, for translators.
// `--check` fails when it is not up to date.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const root = path.resolve(import.meta.dirname, '..');
const file = path.join(root, 'l10n/bundle.l10n.json');

/** @returns {string} */
export function bundle() {
  /** @type {Set<string>} */
  const strings = new Set();
  for (const name of /** @type {string[]} */ (readdirSync(path.join(root, 'src'), { recursive: true }))) {
    if (!name.endsWith('.ts')) continue;
    const source = ts.createSourceFile(
      name,
      readFileSync(path.join(root, 'src', name), 'utf8'),
      ts.ScriptTarget.Latest,
    );
    /** @param {ts.Node} node */
    const visit = (node) => {
      if (ts.isCallExpression(node) && /^vscode\s*\.l10n\s*\.t$/.test(node.expression.getText(source))) {
        const [text] = node.arguments;
        if (text && ts.isStringLiteralLike(text)) strings.add(text.text);
        // The tables themselves are listed below.
        else if (!/^(words\[key\]|title|hint|reason)$/.test(text?.getText(source) ?? ''))
          throw new Error(`${name}: vscode.l10n.t needs a literal`);
      }
      if (name === path.join('shared', 'words.ts') && ts.isPropertyAssignment(node)) {
        if (!ts.isStringLiteralLike(node.initializer)) throw new Error(`${name}: a word is a literal`);
        strings.add(node.initializer.text);
      }
      if (/^(strategies|source)[\\/]/.test(name) && ts.isPropertyAssignment(node)) {
        const isSaid = /^(title|hint|reason)$/.test(node.name.getText(source));
        if (isSaid && ts.isStringLiteralLike(node.initializer)) strings.add(node.initializer.text);
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  const sorted = [...strings].sort();
  return `${JSON.stringify(Object.fromEntries(sorted.map((s) => [s, s])), null, 2)}\n`;
}

if (process.argv[1] === import.meta.filename) {
  const text = bundle();
  if (process.argv.includes('--check')) {
    if (readFileSync(file, 'utf8') !== text) {
      console.error('l10n/bundle.l10n.json is not up to date: run node scripts/l10n.mjs');
      process.exit(1);
    }
  } else {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
