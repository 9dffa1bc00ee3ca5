/**
 * The regions of a mixed document: prose or code fence, markup, script or style, SQL or the Python around it. Simple rules
 * on the text, chosen by the file's extension; no language is parsed.
 */

export interface Region {
  readonly name: string;
  /** The language that a fence names, in lower case. */
  readonly language?: string;
  /** UTF-16 offsets into the text. */
  readonly start: number;
  readonly end: number;
  /** Set for what surrounds the other regions: prose around fences, markup around PHP. */
  readonly isRest?: true;
}

/** The regions of a document in order, without gaps; empty for a file type without rules. */
export function regions(text: string, path: string): Region[] {
  const extension = /\.(\w+)$/.exec(path)?.[1]?.toLowerCase() ?? '';
  const find = finders[extension];
  return find ? whole(text, find(text)) : [];
}

const finders: Readonly<Record<string, (text: string) => Found>> = {
  md: fences,
  html: elements,
  vue: elements,
  svelte: elements,
  php: islands,
  py: statements,
  ipynb: cells,
};

/** The regions found, in order; everything else gets the name `rest`. */
interface Found {
  readonly rest: string;
  readonly found: readonly Region[];
}

function whole(text: string, { rest, found }: Found): Region[] {
  const out: Region[] = [];
  const push = (region: Region) => {
    if (region.end <= region.start) return;
    const last = out.at(-1);
    if (last?.name === region.name) out[out.length - 1] = { ...last, end: region.end };
    else out.push(region);
  };
  let at = 0;
  for (const region of found) {
    push({ name: rest, isRest: true, start: at, end: region.start });
    push({ ...region, start: Math.max(at, region.start) });
    at = Math.max(at, region.end);
  }
  push({ name: rest, isRest: true, start: at, end: text.length });
  return out;
}

/** CommonMark's fences: three or more of ` or ~, closed by at least as many. The fence lines themselves are prose. */
function fences(text: string): Found {
  const found: Region[] = [];
  let open: { mark: string; start: number; language?: string } | undefined;
  const close = ({ start, language }: NonNullable<typeof open>, end: number) => {
    found.push({ name: 'code fence', start, end, ...(language && { language: language.toLowerCase() }) });
    open = undefined;
  };
  for (const { start, end, line } of lines(text)) {
    const [, mark, language] = /^ {0,3}(`{3,}|~{3,})[ \t]*([\w+#.-]*)/.exec(line) ?? [];
    if (open === undefined) {
      if (mark !== undefined) open = { mark, start: end, ...(language && { language }) };
    } else if (mark?.startsWith(open.mark) && /^[ `~]*$/.test(line.trimEnd())) close(open, start);
  }
  // The document ends inside a fence.
  if (open) close(open, text.length);
  return { rest: 'prose', found };
}

/** The contents of `<script>` and `<style>`; the tags and everything else are markup. */
function elements(text: string): Found {
  const found: Region[] = [];
  for (const match of text.matchAll(/<!--[\s\S]*?(?:-->|$)|(<(script|style)\b[^>]*>)([\s\S]*?)(?:<\/\2\s*>|$)/gi)) {
    if (match[1] === undefined) continue; // a comment
    const start = match.index + match[1].length;
    found.push({ name: match[2]!.toLowerCase(), start, end: start + match[3]!.length });
  }
  return { rest: 'markup', found };
}

/** PHP between its tags; everything else is markup. */
function islands(text: string): Found {
  const found = Array.from(text.matchAll(/<\?(?:php\b|=)[\s\S]*?(?:\?>|$)/g), (match) => ({
    name: 'PHP',
    start: match.index,
    end: match.index + match[0].length,
  }));
  return { rest: 'markup', found };
}

/** Strings and comments, so that a quote inside one does not start another. */
const pythonTokens =
  /#[^\n]*|([rbuf]{0,2})("""|''')((?:\\[\s\S]|(?!\2)[\s\S])*)(?:\2|$)|[rbuf]{0,2}("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')/gi;
const sqlStart =
  /^\s*(?:--[^\n]*\n\s*)*(?:SELECT\s|INSERT\s+(?:OR\s+\w+\s+)?INTO\s|CREATE\s+(?:\w+\s+){0,3}(?:TABLE|VIEW|INDEX|TRIGGER|FUNCTION)\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s|WITH\s+(?:RECURSIVE\s+)?\w+\s*(?:\([^)]*\)\s*)?AS\s*\(|ALTER\s+TABLE\s|DROP\s+(?:TABLE|VIEW|INDEX)\s)/i;

function isSql(body: string): boolean {
  // "Select the best of …" is English: in code, SQL's first word is all upper or all lower case.
  const word = /[a-z]+/i.exec(body.replace(/^\s*(?:--[^\n]*\n\s*)*/, ''))?.[0] ?? '';
  return sqlStart.test(body) && (word === word.toUpperCase() || word === word.toLowerCase());
}

/** String literals that begin with an SQL statement, without their quotes; docstrings stay Python. */
function statements(text: string): Found {
  const found: Region[] = [];
  for (const match of text.matchAll(pythonTokens)) {
    const body = match[3] ?? match[4]?.slice(1, -1);
    if (body === undefined || !isSql(body)) continue;
    const prefix = match[2] === undefined ? match[0].length - match[4]!.length + 1 : match[1]!.length + 3;
    const start = match.index + prefix;
    found.push({ name: 'SQL', start, end: start + body.length });
  }
  return { rest: 'Python', found };
}

/** A notebook's source lines, by cell type; the JSON around them and the outputs are the frame. */
function cells(text: string): Found {
  const found: Region[] = [];
  let type: string | undefined;
  let source = false;
  for (const { start, end, line } of lines(text)) {
    type = /^\s*"cell_type": "(\w+)"/.exec(line)?.[1] ?? type;
    if (source && /^\s*\]/.test(line)) source = false;
    else if (source) found.push({ name: type === 'markdown' ? 'markdown cell' : 'code cell', start, end });
    else if (type !== undefined) source = /^\s*"source": \[\s*$/.test(line);
  }
  return { rest: 'notebook frame', found };
}

function* lines(text: string): Generator<{ start: number; end: number; line: string }> {
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline + 1;
    yield { start, end, line: text.slice(start, end) };
    start = end;
  }
}

/**
 * For each token the index of its region, −1 if it has none. A token belongs to the region of its last character, because the
 * space before a word belongs to the word.
 */
export function regionOfTokens(found: readonly Region[], ends: ArrayLike<number>): Int32Array {
  const out = new Int32Array(ends.length).fill(-1);
  let r = 0;
  for (let t = 0; t < ends.length; t++) {
    if (ends[t]! <= 0) continue;
    const at = ends[t]! - 1;
    while (r < found.length && found[r]!.end <= at) r++;
    if (r < found.length && found[r]!.start <= at) out[t] = r;
  }
  return out;
}
