/** `gander` as a person or a script runs it: as a process, on the tiny pool. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { decodeTrace, encodeTrace } from '../../src/trace/file/file.js';
import type { Trace } from '../../src/trace/model/trace.js';
import { poolThatAborts, poolThatHangs } from './hostile.js';
import {
  builtCli,
  childrenOf,
  copyOfTinyPool,
  isAlive,
  pooled,
  processorTime,
  root,
  temporaryFolder,
  tinyPool,
  until,
} from './support.js';

const bin = builtCli();
const cache = temporaryFolder();
const folder = temporaryFolder();
const file = (name: string) => path.join(folder, name);
const sample = 'def add(a, b):\n    return a + b\n';

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

function start(args: readonly string[], at: string = cache): { child: ChildProcess; ended: Promise<Ended> } {
  const env = { ...process.env, XDG_CACHE_HOME: at, NO_COLOR: '' };
  const child = spawn(process.execPath, [bin, ...args], { env, cwd: root, stdio: 'pipe' });
  let out = '';
  let error = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (error += text));
  const ended = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, out, error })));
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, ended };
}

function gander(args: readonly string[], stdin = ''): Promise<Ended> {
  const { child, ended } = start(args);
  child.stdin!.on('error', () => {}); // a command that does not read stdin may end before it is written
  child.stdin!.end(stdin);
  return ended;
}

const onTiny = (command: string, ...args: string[]) => [command, '--pool', tinyPool, ...args];

async function parsed<T>(args: readonly string[], stdin?: string): Promise<T> {
  const { code, out, error } = await gander([...args, '--json'], stdin);
  expect({ code, error }).toEqual({ code: 0, error: '' });
  return JSON.parse(out) as T;
}

interface RouteJson {
  readonly text: string;
  readonly strategy: object;
  readonly interventions: readonly object[];
  readonly experts: readonly { readonly id: string; readonly share: number; readonly chance: number }[];
  readonly tokens: readonly {
    readonly text: string;
    readonly logProb: number | null;
    readonly special: boolean;
    readonly experts: readonly { readonly id: string; readonly share: number }[];
    readonly next: readonly { readonly logProb: number }[];
  }[];
}

describe('gander route', () => {
  it('prints a line per token and per expert, without colour in a pipe', async () => {
    const { code, out, error } = await gander(onTiny('route', sample));
    expect({ code, error }).toEqual({ code: 0, error: '' });
    const { tokens, experts } = await parsed<RouteJson>(onTiny('route', sample));
    expect(out.split('\n').filter((line) => /^ *\d+ {2}/.test(line)).length).toBe(tokens.length);
    for (const { id } of experts) expect(out.toLowerCase()).toContain(id.split('-')[0]!.toLowerCase());
    expect(out).toContain('chance');
    expect(out).not.toContain('\u001b');
  });

  it('takes the same text from an argument, --text, a file and stdin', async () => {
    writeFileSync(file('sample.py'), sample);
    const ways: [string[], string?][] = [
      [[sample]],
      [['--text', sample]],
      [['--file', file('sample.py')]],
      [[], sample],
      [['-'], sample],
      [['--file', '-'], sample],
    ];
    const tokens: unknown[] = [];
    for (const [args, stdin] of ways) tokens.push((await parsed<RouteJson>(onTiny('route', ...args), stdin)).tokens);
    for (const other of tokens) expect(other).toEqual(tokens[0]);
  });

  it('prints the contents of the trace as JSON', async () => {
    const route = await parsed<RouteJson>(onTiny('route', sample, '-k', '3', '--logit-bias', 'Zeta@layer=1=+0.5'));
    expect(route.text).toBe(sample);
    expect(route.strategy).toEqual({ name: 'phatgoose', k: 3 });
    expect(route.interventions).toEqual([{ action: 'logit-bias', expert: 'Zeta', scope: { layer: 1 }, amount: 0.5 }]);
    expect(route.tokens[0]).toMatchObject({ special: true, logProb: null });
    expect(route.tokens.slice(1).every((t) => t.logProb! < 0 && t.next.length > 0)).toBe(true);
    const shares = route.tokens[3]!.experts.reduce((sum, e) => sum + e.share, 0);
    expect(shares).toBeCloseTo(1, 5);
    expect(route.experts.reduce((sum, e) => sum + e.share, 0)).toBeCloseTo(1, 5);
  });

  it('takes all experts if more are asked for than there are', async () => {
    const { strategy, experts } = await parsed<RouteJson>(onTiny('route', 'a', '-s', 'phatgoose:999999999'));
    expect(strategy).toEqual({ name: 'phatgoose', k: experts.length });
  });

  it('saves the trace, CSV, HTML and Markdown', async () => {
    const [trace, csv, cells, html, markdown] = ['t.safetensors', 't.csv', 'c.csv', 't.html', 't.md'].map(file) as [
      string,
      string,
      string,
      string,
      string,
    ];
    const { code } = await gander(
      onTiny('route', sample, '--trace', trace, '--csv', csv, '--cells', cells, '--html', html, '--markdown', markdown),
    );
    expect(code).toBe(0);
    const read = pooled(decodeTrace(readFileSync(trace)));
    expect(read.text).toBe(sample);
    const lines = (name: string) => readFileSync(name, 'utf8').trimEnd().split('\r\n').length;
    expect(lines(csv)).toBe(1 + read.done);
    expect(lines(cells)).toBe(1 + read.done * read.modules.length * read.k);
    expect(readFileSync(html, 'utf8')).toContain('<!DOCTYPE html>');
    expect(readFileSync(markdown, 'utf8')).toContain('| # | token |');
  });

  it('routes many files with the model loaded once, and saves each under its own name', async () => {
    const texts = { 'one.py': sample, 'two.sql': 'SELECT 1;' };
    for (const [name, text] of Object.entries(texts)) writeFileSync(file(name), text);
    const to = file('many');
    const names = Object.keys(texts).map(file);
    const together = await parsed<{ schema: number; files: (RouteJson & { file: string })[] }>(
      onTiny('route', '--file', ...names, '--trace', to, '--csv', to),
    );
    expect(together.schema).toBe(1);
    expect(together.files.map((one) => one.file)).toEqual(names);
    for (const { file: name, text, tokens } of together.files) {
      const alone = await parsed<RouteJson>(onTiny('route', '--file', name));
      expect({ text, tokens }).toEqual({ text: alone.text, tokens: alone.tokens });
      const saved = path.join(to, path.basename(name));
      expect(pooled(decodeTrace(readFileSync(`${saved}.gander.safetensors`))).text).toBe(text);
      expect(readFileSync(`${saved}.csv`, 'utf8')).not.toBe('');
    }
    const drawn = await gander(onTiny('route', '--file', names[0]!, '--file', names[1]!));
    for (const name of names) expect(drawn.out).toContain(`${name}\n`);
  });

  it('names the file that an error is about, and never overwrites one result with another', async () => {
    for (const [name, text] of [
      ['a.txt', 'a'],
      ['empty.txt', ''],
    ] as const)
      writeFileSync(file(name), text);
    const { code, error } = await gander(onTiny('route', '--file', file('a.txt'), file('empty.txt')));
    expect(code).toBe(1);
    expect(error).toContain(`${file('empty.txt')}: `);
    const twice = onTiny('route', '--file', file('a.txt'), file('a.txt'), '--trace', file('over'));
    expect(await gander(twice)).toMatchObject({ code: 2, error: expect.stringContaining('a.txt') as string });
    expect(existsSync(file('over'))).toBe(false);
  });

  it('leaves scores out of a saved trace if asked to', async () => {
    const [whole, less] = ['whole.safetensors', 'less.safetensors'].map(file) as [string, string];
    await parsed(onTiny('route', sample, '--trace', whole));
    await parsed(onTiny('route', sample, '--trace', less, '--no-scores'));
    const [a, b] = [whole, less].map((name) => decodeTrace(readFileSync(name))) as [Trace, Trace];
    expect(a.blocks[0]!.score).toBeDefined();
    expect(b.blocks[0]!.score).toBeUndefined();
    expect(b.blocks[0]!.chosen).toEqual(a.blocks[0]!.chosen);
    expect(b.blocks[0]!.weight).toEqual(a.blocks[0]!.weight);
    expect(statSync(less).size).toBeLessThan(statSync(whole).size);
  });

  it('never chooses a knocked-out expert, and only the forced one', async () => {
    const out = await parsed<RouteJson>(onTiny('route', sample, '--knock-out', 'Zeta'));
    expect(out.experts.find((e) => e.id === 'Zeta')!.share).toBe(0);
    const forced = await parsed<RouteJson>(onTiny('route', sample, '--force', 'alpha@kind=q'));
    const plain = await parsed<RouteJson>(onTiny('route', sample));
    const alpha = (r: RouteJson) => r.experts.find((e) => e.id === 'alpha')!.share;
    expect(alpha(forced)).toBeGreaterThan(alpha(plain));
  });
});

describe('the other commands', () => {
  it('generate continues the text, the same way each time for one seed', async () => {
    const args = onTiny('generate', 'hello', '-n', '6', '--temperature', '1', '--seed', '4');
    const made = await parsed<RouteJson & { prompt: string; completion: string }>(args);
    expect(made.prompt + made.completion).toBe(made.text);
    const again = await gander(args);
    expect(again.code).toBe(0);
    expect(again.out.trimEnd()).toBe(made.completion.trimEnd());
    expect((await gander([...args, '--table'])).out).toContain('leading expert');
  });

  it('compare works on two strategies, two texts, a what-if and two trace files', async () => {
    interface Compared {
      readonly all: { readonly topKOverlap: number; readonly flipped: number };
      readonly tokens: readonly { readonly same: boolean; readonly text: string }[];
    }
    const ks = await parsed<Compared>(onTiny('compare', sample, '--with', 'phatgoose:3'));
    // Two of three, except for later changes that the third expert causes.
    expect(ks.all.topKOverlap).toBeGreaterThan(0.55);
    expect(ks.all.topKOverlap).toBeLessThan(0.7);
    const texts = await parsed<Compared>(onTiny('compare', 'a + b', 'a - b'));
    expect(texts.tokens.filter((t) => !t.same).map((t) => t.text)).toEqual(['+']);
    writeFileSync(file('plus.txt'), 'a + b');
    writeFileSync(file('minus.txt'), 'a - b');
    const both = await parsed<Compared>(onTiny('compare', '--file', file('plus.txt'), '--file', file('minus.txt')));
    expect({ all: both.all, tokens: both.tokens }).toEqual({ all: texts.all, tokens: texts.tokens });
    const whatIf = await parsed<Compared>(onTiny('compare', sample, '--knock-out', 'Zeta'));
    expect(whatIf.all.flipped).toBeGreaterThan(0);
    await gander(onTiny('route', sample, '--trace', file('a.safetensors')));
    await gander(onTiny('route', sample, '--strategy', 'merged', '--trace', file('b.safetensors')));
    const { code, out } = await gander(['compare', file('a.safetensors'), file('b.safetensors')]);
    expect(code).toBe(0);
    expect(out).toContain('merged');
    const same = await parsed<Compared>(['compare', file('a.safetensors'), file('a.safetensors')]);
    expect(same.all).toMatchObject({ topKOverlap: 1, flipped: 0 });
  });

  it('lens gives each layer’s predictions after a token, and the last layer’s are those of the run', async () => {
    interface Row {
      readonly logProb?: number;
      readonly likeliest: readonly { readonly id: number; readonly logProb: number }[];
    }
    interface Read {
      readonly token: { readonly index: number; readonly text: string };
      readonly next?: { readonly index: number };
      readonly layers: readonly { readonly layer: number; readonly routed: Row; readonly without: Row }[];
    }
    const { token, next, layers } = await parsed<Read>(onTiny('logit-lens', sample, '--token', '2'));
    const { tokens } = await parsed<{ tokens: { text: string; logProb: number; next: { id: number }[] }[] }>(
      onTiny('route', sample),
    );
    expect([token, next?.index]).toEqual([{ index: 2, id: expect.any(Number) as number, text: tokens[2]!.text }, 3]);
    expect(layers.map(({ layer }) => layer)).toEqual([0, 1]);
    const last = layers.at(-1)!.routed;
    expect(last.likeliest.map(({ id }) => id)).toEqual(tokens[2]!.next.map(({ id }) => id));
    expect(last.logProb).toBeCloseTo(tokens[3]!.logProb, 4);
    const { out } = await gander(onTiny('logit-lens', sample));
    expect(out).toContain('no token came next');
    const alone = await gander(onTiny('logit-lens', sample, '--strategy', 'base'));
    expect(alone.out).toContain('This run is the base alone');
    expect((await gander(onTiny('logit-lens', sample, '--token', 'x'))).code).toBe(2);
    expect((await gander(onTiny('logit-lens', sample, '--token', '9999'))).error).toContain('there is no token 9999');
  });

  it('attribute gives each expert’s change of each token', async () => {
    const { experts, tokens } = await parsed<{ experts: { total: number }[]; tokens: { change: (number | null)[] }[] }>(
      onTiny('attribute', sample),
    );
    const sum = tokens.reduce((all, t) => all + (t.change[0] ?? 0), 0);
    expect(experts[0]!.total).toBeCloseTo(sum, 4);
    expect(tokens.every((t) => t.change.length === experts.length)).toBe(true);
    expect((await gander(onTiny('attribute', sample))).out).toContain('change without');
  });

  it('score gives bits per byte, also of a file longer than the context', async () => {
    writeFileSync(file('short.txt'), sample);
    writeFileSync(file('long.txt'), sample.repeat(40));
    const files = [file('short.txt'), file('long.txt')];
    interface Scores {
      readonly bytes: number;
      readonly bits: number;
      readonly bitsPerByte: number;
      readonly strategy: string;
    }
    const scored = await parsed<{ files: { scores: Scores[] }[]; all: Scores[] }>(
      onTiny('score', ...files, '--strategies', 'base,phatgoose,single'),
    );
    expect(scored.all.map((s) => s.strategy)).toEqual([
      'base',
      'phatgoose:2',
      'single:Zeta',
      'single:alpha',
      'single:beta-10',
      'single:beta-2',
    ]);
    expect(scored.files.map((f) => f.scores[0]!.bytes)).toEqual([sample.length, sample.length * 40]);
    expect(scored.all[0]!.bits).toBeCloseTo(scored.files[0]!.scores[0]!.bits + scored.files[1]!.scores[0]!.bits, 3);
    expect(scored.all.every((s) => s.bitsPerByte > 0)).toBe(true);
    const { bits } = scored.files[0]!.scores[1]!;
    const { tokens } = await parsed<RouteJson>(onTiny('route', sample));
    const nats = tokens.reduce((sum, t) => sum - (t.special ? 0 : (t.logProb ?? 0)), 0);
    expect(bits).toBeCloseTo(nats / Math.LN2, 2);
  });

  it('inspect shows a pool and a trace file', async () => {
    const pool = await gander(['inspect', tinyPool]);
    expect(pool.code).toBe(0);
    for (const word of ['Zeta', 'beta-10', '14 modules placed', 'phatgoose']) expect(pool.out).toContain(word);
    const { modules } = await parsed<{ modules: object[] }>(onTiny('inspect'));
    expect(modules.length).toBe(14);
    const golden = path.join(root, 'test/fixtures/golden/tiny/phatgoose-k2.safetensors');
    const trace = await gander(['inspect', golden, '--modules']);
    expect(trace.out).toContain('model.layers.1.mlp.down_proj');
    expect(trace.out).toContain('phatgoose:2');
  });

  it('inspect names no program if the trace names none', async () => {
    const trace = decodeTrace(readFileSync(path.join(root, 'test/fixtures/golden/moe/mixtral.safetensors')));
    const bare = file('bare.safetensors');
    writeFileSync(bare, encodeTrace({ ...trace, source: { ...trace.source, versions: {} } }));
    const { out } = await gander(['inspect', bare]);
    expect(out).toMatch(new RegExp(`^made +${trace.created}$`, 'm'));
  });

  it('show prints a saved trace as route did, and saves it in other forms', async () => {
    const saved = file('shown.safetensors');
    const routed = await gander(onTiny('route', sample, '--trace', saved, '--cells', file('routed.csv')));
    const shown = await gander(['show', saved, '--html', file('shown.html'), '--cells', file('shown.csv')]);
    expect(shown).toEqual({ code: 0, out: routed.out, error: '' });
    expect(readFileSync(file('shown.csv'), 'utf8')).toBe(readFileSync(file('routed.csv'), 'utf8'));
    expect(readFileSync(file('shown.html'), 'utf8')).toContain('<!DOCTYPE html>');
    const { text, tokens } = await parsed<RouteJson>(['show', saved]);
    expect({ text, tokens: tokens.length }).toEqual({
      text: sample,
      tokens: decodeTrace(readFileSync(saved)).sequences[0]!.done,
    });
  });

  it('bench measures something', async () => {
    const { route, generateTokensPerSecond } = await parsed<{
      route: { ms: number }[];
      generateTokensPerSecond: number;
    }>(onTiny('bench', '--runs', '1'));
    expect(route.length).toBeGreaterThan(0);
    expect(generateTokensPerSecond).toBeGreaterThan(0);
  });
});

describe('what goes wrong', { tags: ['slow'] }, () => {
  it.each([
    ['no command', []],
    ['an unknown command', ['fly']],
    ['an unknown option', ['route', 'a', '--wings']],
    ['an option without its value', ['route', 'a', '--pool']],
    ['two texts', ['route', 'a', 'b']],
    ['an unknown strategy', onTiny('route', 'a', '-s', 'magic')],
    ['a malformed what-if', onTiny('route', 'a', '--logit-bias', 'Zeta')],
    ['nothing to compare with', onTiny('compare', 'a')],
    ['no file to score', onTiny('score')],
    ['a seed that is not a number', onTiny('generate', 'a', '--seed', 'x')],
    ['an argument too many', onTiny('bench', 'a')],
    ['a deadline that is not a number', onTiny('route', 'a', '--deadline', 'soon')],
  ])('%s: wrong usage, exit code 2', async (_, args) => {
    const { code, out, error } = await gander(args);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(error).not.toBe('');
    if (args.length > 0) expect(error).toMatch(/^gander: .* See gander ([a-z]+ )?--help\.\n$/);
  });

  it.each([
    [['rout', 'a'], 'gander: There is no command "rout". Did you mean route? See gander --help.\n'],
    [['route', '--fil', 'a'], 'gander: There is no option --fil. Did you mean --file? See gander route --help.\n'],
    [['lens', 'a'], 'gander: There is no command "lens". Did you mean logit-lens? See gander --help.\n'],
    [
      ['route', 'a', '--tilt', 'x=1'],
      'gander: There is no option --tilt. Did you mean --logit-bias? See gander route --help.\n',
    ],
    [['route', 'a', '--wings'], 'gander: There is no option --wings. See gander route --help.\n'],
    [
      ['route', 'a', '-k', '1', '-k', '2'],
      'gander: --k is given twice, but takes one value. See gander route --help.\n',
    ],
    [
      ['completion', 'bas'],
      'gander: Name one shell: bash, zsh, fish. Did you mean bash? See gander completion --help.\n',
    ],
  ])('%j: suggests what was meant', async (args, error) => {
    expect(await gander(args)).toEqual({ code: 2, out: '', error });
  });

  it.each<[string, string, string[]]>([
    ['a pool that does not exist', 'pool-missing', ['route', 'a', '--pool', path.join(root, 'nowhere')]],
    ['an unknown expert', 'request-invalid', onTiny('route', 'a', '-s', 'single:nobody')],
    ['an empty text', 'text-empty', onTiny('route', '')],
    ['a text too long', 'text-too-long', onTiny('route', 'x '.repeat(300))],
    ['a file that does not exist', 'io', onTiny('route', '--file', 'nowhere.txt')],
    ['a file that is not text', 'io', onTiny('route', '--file', path.join(tinyPool, 'base/model.onnx'))],
    ['a file that is not a trace', 'trace-invalid', ['inspect', path.join(root, 'package.json')]],
    ['a place that cannot be written', 'io', onTiny('route', 'a', '--trace', path.join(root, 'nowhere/x.safetensors'))],
  ])('%s: one line or JSON, exit code 1', async (_, code, args) => {
    const plain = await gander(args);
    expect(plain).toMatchObject({ code: 1, out: '' });
    expect(plain.error).toMatch(/^gander: [^\n]+\n$/);
    const asJson = await gander([...args, '--json']);
    expect(asJson.code).toBe(1);
    const { error } = JSON.parse(asJson.error) as { error: { code: string; message: string; remedy: string } };
    expect(error.code).toBe(code);
    expect(plain.error).toBe(`gander: ${error.message} ${error.remedy}\n`);
  });

  it('Ctrl+C ends a long run with 130 and no partial result', async () => {
    writeFileSync(file('endless.txt'), sample.repeat(3000));
    const own = temporaryFolder();
    const { child, ended } = start(onTiny('score', file('endless.txt')), own);
    // The cache folder is created after the signal handler is installed.
    await until(() => existsSync(path.join(own, 'gander')), 30_000);
    child.kill('SIGINT');
    const { code, out, error } = await ended;
    expect({ code, out }).toEqual({ code: 130, out: '' });
    expect(error).toMatch(/^gander: /);
  });

  it('Ctrl+C ends it while native code runs, and leaves no process', async () => {
    const { child, ended } = start(['route', 'a', '--pool', poolThatHangs()]);
    const children = () => childrenOf(child.pid!);
    await until(() => children().length > 0, 30_000);
    const [engine] = children();
    // Opening the pool takes at most a second of processor time; anything after that is the loop.
    await until(() => processorTime(engine!) >= 3);
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 130, out: '' });
    await until(() => !isAlive(engine!));
  });

  it.each<[string, () => string, string[], string]>([
    ['hangs', poolThatHangs, ['--deadline', '10'], 'gave no sign of life for 10 s'],
    ['aborts', poolThatAborts, [], 'died ('],
  ])('a pool that %s gives one line that names it', async (_, make, options, why) => {
    const pool = make();
    const { code, out, error } = await gander(['route', 'a', '--pool', pool, ...options]);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(error).toMatch(/^gander: [^\n]+\n$/);
    expect(error).toContain(pool);
    expect(error).toContain(why);
  });

  it.skipIf(process.platform === 'win32')('neither a device nor a pipe is read as a file', async () => {
    const pipe = file('pipe');
    execFileSync('mkfifo', [pipe]);
    for (const name of ['/dev/zero', pipe]) {
      for (const args of [onTiny('route', '--file', name), onTiny('score', name), ['inspect', name]]) {
        const { code, error } = await gander(args);
        expect(code).toBe(1);
        expect(error).toContain(`${name} is not an ordinary file.`);
      }
    }
  });

  it('a pool that works with warnings shows them: one line each on stderr, or in the JSON', async () => {
    const pool = copyOfTinyPool();
    const config = path.join(pool, 'experts/Zeta/adapter_config.json');
    const json = JSON.parse(readFileSync(config, 'utf8')) as object;
    writeFileSync(config, JSON.stringify({ ...json, use_dora: true }));
    writeFileSync(file('a.txt'), sample);
    for (const args of [
      ['route', sample],
      ['generate', sample, '-n', '1'],
      ['compare', sample, '--with', 'merged'],
      ['attribute', 'a'],
      ['logit-lens', 'a'],
      ['score', file('a.txt'), '--strategies', 'base'],
      ['bench', '--runs', '1'],
    ]) {
      const { code, error } = await gander([...args, '--pool', pool]);
      expect(code, args[0]).toBe(0);
      expect(error, args[0]).toMatch(/^gander: warning: [^\n]*"Zeta"[^\n]*\n$/);
      const { warnings, codedWarnings } = await parsed<{ warnings: string[]; codedWarnings: object[] }>([
        ...args,
        '--pool',
        pool,
      ]);
      expect(warnings, args[0]).toEqual([expect.stringContaining('"Zeta"')]);
      expect(codedWarnings, args[0]).toEqual([{ code: 'expert-left-out', expert: 'Zeta', text: warnings[0] }]);
    }
    const asked = await gander(['route', 'a', '--pool', pool, '-s', 'single:Zeta']);
    expect(asked.code).toBe(1);
    expect(asked.error).toContain('gander inspect says what was left out');
  });

  it('a reader that closes the pipe early is not a failure', async () => {
    const { child, ended } = start(onTiny('route', sample, '--json'));
    child.stdin!.end();
    child.stdout!.destroy();
    expect(await ended).toMatchObject({ code: 0, error: '' });
  });
});

describe('help', { tags: ['slow'] }, () => {
  it('exists for all commands, and so does the version', async () => {
    const all = await gander(['--help']);
    expect(all.code).toBe(0);
    const names = [...all.out.matchAll(/^ {2}([a-z-]+) {2,}/gm)].map((match) => match[1]!);
    expect(names).toEqual([
      'route',
      'generate',
      'compare',
      'attribute',
      'logit-lens',
      'score',
      'inspect',
      'show',
      'similarity',
      'atlas',
      'try',
      'pack',
      'add',
      'pool',
      'import',
      'models',
      'mcp',
      'bench',
      'completion',
    ]);
    for (const name of names) {
      const { code, out } = await gander([name, '--help']);
      expect(code).toBe(0);
      expect(out).toContain(`Usage: gander ${name}`);
      expect(out).toMatch(new RegExp(`^Examples:\\n  gander ${name}`, 'm'));
    }
    const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
    expect((await gander(['--version'])).out).toBe(`${version}\n`);
  });
});
