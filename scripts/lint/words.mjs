// Finds old words (docs/glossary.md has the present ones) in names of code and in what people read.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const never = '(?!)';
/** Those that read and write files and speak with servers say the names that these have. */
const formats = String.raw`src/trace/file/|src/remote/|test/servers/`;

/**
 * The present word; the old one as a part of a name, and in what is read; files that may say it.
 * @type {readonly (readonly [now: string, name: string, read: string, except?: string])[]}
 */
const old = [
  ['routed module', 'sites?', 'sites?', formats],
  ['logit bias', 'tilt(s|ed)?', 'tilt(s|ed)?', `${formats}|src/cli/nearest`],
  ['shared expert', 'alwayson(weight)?', 'always-on', formats],
  ['short label', 'signs?', 'short signs?', 'test/unit/(formats|trace|atlas)/|src/(words/numbers|statistics/)'],
  ['top-k probability', 'mass', 'mass of', 'src/(graph|atlas)/'],
  ['top-k overlap', 'saturation', 'saturation'],
  ['attribution', 'owe[sd]?', 'owe[sd]? (most|nothing|to)'],
  ['jointly trained router', 'learned', 'learned router', formats],
  ['native router', 'ownrouter', 'routers? of (its|their) own|own router'],
  ['load CV or load entropy', 'unevenness', '(un)?evenness', 'webview/lessons/explanations'],
  ['surprisal', never, 'surprise'],
  ['shown experts', 'sight', never],
  ['a plain noun', 'desk|twin', never],
  // Of paper, for print, is what these are about.
  [
    'a plain noun',
    'paper',
    never,
    'src/(paper|pdf)/|webview/(figures|saving|atlas)/|src/words/figureWords|test/(unit/(paper|pdf)|webview)/',
  ],
];

const rules = old.map(([now, name, read, except = never]) => ({
  now,
  name: new RegExp(`^(${name})$`),
  read: new RegExp(String.raw`\b(${read})\b`, 'i'),
  except: new RegExp(`^(${except}|docs/(glossary|trace-format)\\.md)`),
}));

/** In lower case, the whole among them. @param {string} name */
const partsOf = (name) =>
  [name, ...name.split(/(?<=[a-z0-9])(?=[A-Z])|_/)].map((part) => part.replace('#', '').toLowerCase());

/** What is found in a file. @param {string} file relative, with slashes @param {string} text @returns {string[]} */
export function oldWordsIn(file, text) {
  const held = rules.filter(({ except }) => !except.test(file));
  /** @type {string[]} */
  const found = [];
  const say = (/** @type {number} */ at, /** @type {string | undefined} */ said, /** @type {string} */ now) => {
    if (said !== undefined) found.push(`${file}:${text.slice(0, at).split('\n').length}: "${said}" is now: ${now}`);
  };
  const read = (/** @type {number} */ at, /** @type {string} */ words) =>
    held.forEach((rule) => say(at, rule.read.exec(words)?.[0], rule.now));
  if (!/\.tsx?$/.test(file)) {
    for (const { index, 0: line } of text.matchAll(/.+/g)) read(index, line);
    return found;
  }
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest);
  /** @param {ts.Node} node */
  const visit = (node) => {
    const at = node.getStart(source);
    if (ts.isIdentifier(node) || ts.isPrivateIdentifier(node))
      for (const { name, now } of held)
        say(at, partsOf(node.text).some((part) => name.test(part)) ? node.text : undefined, now);
    // A string of one small word is a name.
    else if (/^(src|webview)\//.test(file) && ts.isStringLiteralLike(node) && /^[A-Z]|\s/.test(node.text))
      read(at, node.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

if (process.argv[1] === import.meta.filename) {
  const roots = ['src', 'webview', 'test', 'evaluate', 'bench', 'fuzz', 'docs', 'media', 'l10n'].filter(existsSync);
  const inside = roots.flatMap((root) =>
    readdirSync(root, { recursive: true }).map((name) => path.posix.join(root, String(name).replaceAll('\\', '/'))),
  );
  const found = [...inside, 'README.md', 'package.json', 'package.nls.json']
    .filter((file) => /^(?!test\/fixtures\/).*\.(tsx?|md|json)$/.test(file) && existsSync(file))
    .flatMap((file) => oldWordsIn(file, readFileSync(file, 'utf8')));
  for (const line of found) console.error(line);
  process.exitCode = found.length > 0 ? 1 : 0;
}
