import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { regionOfTokens, regions } from '../../../src/trace/text/regions.js';

/** [name, text] of each region. */
const split = (path: string, text: string) => regions(text, path).map((r) => [r.name, text.slice(r.start, r.end)]);

describe('regions', () => {
  it('in Markdown: the contents of fences', () => {
    expect(split('a.md', 'Hi\n```js\nlet a;\n```\nBye\n')).toEqual([
      ['prose', 'Hi\n```js\n'],
      ['code fence', 'let a;\n'],
      ['prose', '```\nBye\n'],
    ]);
  });

  it('in Markdown: a longer fence contains a shorter one, and ~ is a fence too', () => {
    expect(split('a.md', '````\n```\nx\n```\n````\n')[1]).toEqual(['code fence', '```\nx\n```\n']);
    expect(split('a.md', '~~~sh\nls\n~~~\n')[1]).toEqual(['code fence', 'ls\n']);
  });

  it('in Markdown: inline code is prose, and a fence followed by words does not close', () => {
    expect(split('a.md', 'Use `x` and ``y``.\n')).toEqual([['prose', 'Use `x` and ``y``.\n']]);
    expect(split('a.md', '```\na\n``` b\nc\n```\n')[1]).toEqual(['code fence', 'a\n``` b\nc\n']);
  });

  it('in Markdown: a document that ends inside a fence; CRLF', () => {
    expect(split('a.md', 'Hi\r\n```\r\ncode')).toEqual([
      ['prose', 'Hi\r\n```\r\n'],
      ['code fence', 'code'],
    ]);
  });

  it.each(['a.vue', 'a.svelte', 'deep/a.HTML'])('in %s: the contents of script and style', (path) => {
    expect(
      split(path, '<p>x</p>\n<script setup lang="ts">\nlet a = 1 < 2;\n</script>\n<style scoped>\np {}\n</style>'),
    ).toEqual([
      ['markup', '<p>x</p>\n<script setup lang="ts">'],
      ['script', '\nlet a = 1 < 2;\n'],
      ['markup', '</script>\n<style scoped>'],
      ['style', '\np {}\n'],
      ['markup', '</style>'],
    ]);
  });

  it('in markup: an empty script, a comment, an element with a similar name, a document that ends early', () => {
    expect(split('a.html', '<script src="x"></script><b>')).toEqual([['markup', '<script src="x"></script><b>']]);
    expect(split('a.html', '<!-- <style>a</style> --><b>')).toEqual([['markup', '<!-- <style>a</style> --><b>']]);
    expect(split('a.html', '<scripted>a</scripted>')).toEqual([['markup', '<scripted>a</scripted>']]);
    expect(split('a.html', '<style>a{')).toEqual([
      ['markup', '<style>'],
      ['style', 'a{'],
    ]);
  });

  it('in PHP: between its tags', () => {
    expect(split('a.php', '<p><?= $x ?></p><?php\nf();')).toEqual([
      ['markup', '<p>'],
      ['PHP', '<?= $x ?>'],
      ['markup', '</p>'],
      ['PHP', '<?php\nf();'],
    ]);
    expect(split('a.php', '<?xml version="1.0"?>')).toEqual([['markup', '<?xml version="1.0"?>']]);
  });

  it('in Python: strings that begin like SQL', () => {
    expect(split('a.py', 'run("""\n  SELECT a\n  FROM b\n""", x)')).toEqual([
      ['Python', 'run("""'],
      ['SQL', '\n  SELECT a\n  FROM b\n'],
      ['Python', '""", x)'],
    ]);
    expect(split('a.py', "q = f'select * from {t}'\n")).toEqual([
      ['Python', "q = f'"],
      ['SQL', 'select * from {t}'],
      ['Python', "'\n"],
    ]);
    expect(split('a.py', 'q = rb"DELETE FROM t"')[1]).toEqual(['SQL', 'DELETE FROM t']);
    expect(split('a.py', 'q = """-- all\nWITH x AS (SELECT 1) SELECT * FROM x"""')[1]?.[0]).toBe('SQL');
  });

  it('in Python: docstrings, comments and quotes in them are Python', () => {
    for (const text of [
      'def f():\n  """Select the best."""\n',
      '# it\'s "SELECT a" here\nx = 1\n',
      "s = 'it\\'s'  # SELECT\n",
      'x = "Update the view"\n',
    ])
      expect(split('a.py', text)).toEqual([['Python', text]]);
    expect(split('a.py', '# don\'t\nq = "SELECT 1"\n')[1]).toEqual(['SQL', 'SELECT 1']);
  });

  it('in a notebook: source lines by type of cell', () => {
    const text = JSON.stringify(
      {
        cells: [
          { cell_type: 'markdown', metadata: {}, source: ['# Hi\n'] },
          { cell_type: 'code', metadata: {}, outputs: [{ text: ['out'] }], source: ['x = 1\n', 'x'] },
          { cell_type: 'code', outputs: [], source: [] },
        ],
      },
      null,
      1,
    );
    const found = split('a.ipynb', text);
    expect(found.map(([name]) => name)).toEqual([
      'notebook frame',
      'markdown cell',
      'notebook frame',
      'code cell',
      'notebook frame',
    ]);
    expect(found[1]![1]).toContain('# Hi');
    expect(found[3]![1]!.match(/x/g)).toHaveLength(2);
  });

  it('are empty for a file type without rules', () => {
    expect(regions('all: x\n', 'Makefile')).toEqual([]);
    expect(regions('int x;', 'a.cpp')).toEqual([]);
    expect(regions('', 'a.md')).toEqual([]);
  });

  it('cover any text exactly once, in order', () => {
    const piece = fc.constantFrom(
      '```',
      '~~~',
      '\n',
      '<script>',
      '</script>',
      '<style>',
      '<!--',
      '-->',
      '<?php',
      '?>',
      '"""',
      "'",
      '"',
      '#',
      '\\',
      'SELECT ',
      '"source": [\n',
      '"cell_type": "code"',
      ']',
      'x',
    );
    const name = fc.constantFrom('a.md', 'a.vue', 'a.php', 'a.py', 'a.ipynb');
    fc.assert(
      fc.property(name, fc.array(piece, { minLength: 1, maxLength: 60 }), (path, pieces) => {
        const text = pieces.join('');
        const found = regions(text, path);
        expect(found.map((r) => text.slice(r.start, r.end)).join('')).toBe(text);
        expect(found.every((r) => r.end > r.start)).toBe(true);
      }),
    );
  });

  it('contain the tokens that end in them, but no special tokens', () => {
    const found = [
      { name: 'a', start: 0, end: 3 },
      { name: 'b', start: 3, end: 6 },
    ];
    expect([...regionOfTokens(found, [-1, 2, 3, 5, 6])]).toEqual([-1, 0, 0, 1, 1]);
    expect([...regionOfTokens([], [1, 2])]).toEqual([-1, -1]);
  });
});
