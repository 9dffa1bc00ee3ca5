/** `npm run fuzz [-- TARGET...] [-- --cases N] [--seed S] [--only I] [--anew]`: continues where it stopped. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Progress } from '../src/terminal/progress.js';
import { plain } from '../src/trace/text/label.js';
import { run } from './run.js';
import { count, emptyTally, type Tally, tallyText } from './tally.js';
import type { Target } from './targets/target.js';
import { targets } from './targets/index.js';

const root = process.cwd();
const folder = path.join(root, 'artifacts/fuzz');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cases: { type: 'string', default: '2000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    anew: { type: 'boolean', default: false },
  },
});
const [cases, seed] = [Number(values.cases), Number(values.seed)];

const chosen = targets.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
if (chosen.length === 0)
  throw new Error(`no such target; the targets are ${targets.map(({ name }) => name).join(', ')}`);
mkdirSync(folder, { recursive: true });
let faults = 0;
for (const target of chosen) {
  if (values.only === undefined) faults += await all(target);
  else for await (const one of run({ target, seed, root, cases: [Number(values.only)] })) console.log(one);
}
process.exitCode = faults > 0 ? 1 : 0;

/** Runs the remaining cases of a target; returns its number of faults so far. */
async function all(target: Target): Promise<number> {
  const file = path.join(folder, `${target.name}-${seed}.json`);
  const tally = values.anew ? emptyTally(seed) : known(file);
  const left = Array.from({ length: Math.max(0, cases - tally.cases) }, (_, i) => tally.cases + i);
  const progress = new Progress(process.stderr, { everyMs: 30_000 });
  const progressed = progress.count('cases', target.name);
  for await (const one of run({ target, seed, root, cases: left })) {
    count(tally, one);
    if (one.problems.length > 0) {
      progress.clear();
      console.log(plain(`${target.name} ${one.index} (${one.how}): ${one.problems.join('; ')}`));
    }
    if (one.problems.length > 0 || tally.cases % 20 === 0) writeFileSync(file, JSON.stringify(tally, undefined, 1));
    progressed(left.length - (cases - tally.cases), left.length);
  }
  writeFileSync(file, JSON.stringify(tally, undefined, 1));
  progress.clear();
  console.log(tallyText(target.name, tally));
  return tally.faults.length;
}

function known(file: string): Tally {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Tally;
  } catch {
    return emptyTally(seed);
  }
}
