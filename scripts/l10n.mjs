// Writes l10n/bundle.l10n.json, the list for translators: every string that src/ shows through vscode.l10n.t, every word of the
// page (src/words/words.ts, lessonWords.ts, figureWords.ts), the names of strategies (src/strategies) and of the models that ship
// (src/product/bundled.ts), and the reasons why a source cannot do something (src/requests, src/source, src/remote).
// A text with a count has a key for each plural form that any language has; for forms that English lacks the key is made of
// `other`: `{0} tokens/few`. A translation is l10n/bundle.l10n.LANGUAGE.json, with the forms of its own language.
// `--check` fails if the list is not up to date or a translation does not fit it.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const root = path.resolve(import.meta.dirname, '../');
const folder = path.join(root, 'l10n');
const file = path.join(folder, 'bundle.l10n.json');

const categories = ['zero', 'one', 'two', 'few', 'many', 'other'];

/** VS Code's key for each form of a text, as in src/words/counted.ts. @param {Record<string, string>} text */
const keysOf = (text) =>
  Object.fromEntries(
    categories.map((c) => [c, (c === 'one' || c === 'other' ? text[c] : undefined) ?? `${text['other']}/${c}`]),
  );

/** Every string, and the keys of the forms of those with a count. */
function shown() {
  /** @type {Map<string, string>} */
  const strings = new Map();
  /** @type {Record<string, string>[]} */
  const counted = [];
  const add = (/** @type {string} */ text) => strings.set(text, text);
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
        if (text && ts.isStringLiteralLike(text)) add(text.text);
        // The tables themselves are listed below.
        else if (!/^(message|\{ message, comment \}|title|hint|reason)$/.test(text?.getText(source) ?? ''))
          throw new Error(`${name}: vscode.l10n.t needs a literal`);
      }
      if (/^words[\\/](words|lessonWords|figureWords)\.ts$/.test(name) && ts.isPropertyAssignment(node)) {
        if (ts.isStringLiteralLike(node.initializer)) add(node.initializer.text);
        else if (ts.isObjectLiteralExpression(node.initializer)) {
          const text = formsOf(node.initializer, source);
          const keys = keysOf(text);
          counted.push(keys);
          for (const c of categories) strings.set(keys[c] ?? '', text[c] ?? text['other'] ?? '');
          return;
        } else throw new Error(`${name}: a word must be a literal`);
      }
      if (
        /^((strategies|requests|source|remote)[\\/]|product[\\/]bundled)/.test(name) &&
        ts.isPropertyAssignment(node)
      ) {
        const isSaid = /^(title|hint|reason)$/.test(node.name.getText(source));
        if (isSaid && ts.isStringLiteralLike(node.initializer)) add(node.initializer.text);
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return { strings, counted };
}

/** @param {ts.ObjectLiteralExpression} object @param {ts.SourceFile} source */
function formsOf(object, source) {
  /** @type {Record<string, string>} */
  const forms = {};
  for (const property of object.properties)
    if (ts.isPropertyAssignment(property) && ts.isStringLiteralLike(property.initializer))
      forms[property.name.getText(source)] = property.initializer.text;
  return forms;
}

/** @returns {string} */
export function bundle() {
  const sorted = [...shown().strings].sort(([a], [b]) => (a < b ? -1 : 1));
  return `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`;
}

/**
 * Problems of a translation: keys that are never looked up, and texts with a count that lack a form of the language.
 * @param {string} language @param {Record<string, string>} translation
 */
export function problems(language, translation) {
  const { strings, counted } = shown();
  const unknown = Object.keys(translation).filter((key) => !strings.has(key));
  const { pluralCategories } = new Intl.PluralRules(language).resolvedOptions();
  const missing = counted
    .filter((keys) => categories.some((c) => keys[c] && keys[c] in translation))
    .flatMap((keys) => pluralCategories.map((c) => keys[c] ?? '').filter((key) => !(key in translation)));
  return [...unknown.map((key) => `no such text: ${key}`), ...missing.map((key) => `no form: ${key}`)];
}

function check() {
  const wrong = readFileSync(file, 'utf8') === bundle() ? [] : ['bundle.l10n.json: run node scripts/l10n.mjs'];
  for (const name of readdirSync(folder)) {
    const language = /^bundle\.l10n\.([\w-]+)\.json$/.exec(name)?.[1];
    if (language)
      wrong.push(
        ...problems(language, JSON.parse(readFileSync(path.join(folder, name), 'utf8'))).map((p) => `${name}: ${p}`),
      );
  }
  for (const line of wrong) console.error(line);
  return wrong.length > 0 ? 1 : 0;
}

if (process.argv[1] === import.meta.filename) {
  if (process.argv.includes('--check')) process.exitCode = check();
  else {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, bundle());
  }
}
