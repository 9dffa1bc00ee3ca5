/** Writes TASKS.md from the evaluation's data alone. */
import type { Interval } from '../../src/statistics/bootstrap.js';
import { leastUnits } from '../../src/statistics/stratified.js';
import { count, signed } from '../numbers.js';
import { markdownTable } from '../markdown.js';
import { labelOf, reference } from '../strategies.js';
import type { Accuracy, TaskEvaluation, TaskRow } from './evaluation.js';

const percent = (share: number) => (100 * share).toFixed(1);
const points = (difference: number) => signed(100 * difference, 1);
const span = ({ low, high }: Interval) => (Number.isNaN(low) ? '—' : `[${points(low)}, ${points(high)}]`);

export function taskReport(evaluation: TaskEvaluation): string {
  const { work, tasks, rows } = evaluation;
  const isPartial = work.done < work.total;
  return `${[
    `# ${evaluation.pool.name} on tasks`,
    ...(isPartial ? [`> **Partial run: ${count(work.done)} of ${count(work.total)} answers.**`] : []),
    about(evaluation),
    'Accuracy in %: rank classification if a task has choices, otherwise exact match. Each task counts the same. ' +
      `Difference: points more than ${labelOf(reference)} on the same examples; above 0 is better.`,
    markdownTable(
      ['strategy', 'accuracy', 'difference', '95 % interval', 'examples'],
      rows.flatMap((row) => (row.overall ? [cells(row, row.overall)] : [])),
    ),
    ...(tasks.some(({ examples }) => examples < leastUnits)
      ? [`A task with fewer than ${leastUnits} examples has no interval.`]
      : []),
    '**By task.**',
    markdownTable(
      ['strategy', ...tasks.map(({ name }) => name)],
      [
        ['choosing at random', ...tasks.map(({ chance }) => (chance > 0 ? percent(chance) : '—'))],
        ...rows.map((row) => [nameOf(row), ...tasks.map(({ name }) => byTask(row.tasks[name]))]),
      ],
    ),
    'Best individual and the oracles are picked on the same examples that they are measured on, so they are not zero-shot.',
    ...(evaluation.missing.length > 0
      ? [`Not offered by this pool: ${evaluation.missing.map(labelOf).join(', ')}.`]
      : []),
  ].join('\n\n')}\n`;
}

function about({ pool, command, created, versions, machine, seed, tasks, maxTokens }: TaskEvaluation): string {
  const known = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `- Command: \`${command}\``,
    `- Date: ${created.slice(0, 10)}`,
    `- Pool: ${pool.name} (\`${pool.id}\`, base ${pool.baseName}, ${pool.experts.length} experts), hash \`${pool.hash.slice(0, 16)}\``,
    `- Versions: ${known.join(', ')}`,
    `- Machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.platform}`,
    `- Examples: ${tasks.map(({ name, examples }) => `${name} ${count(examples)}`).join(', ')}; answers of at most ${count(maxTokens)} tokens; bootstrap seed ${seed}`,
  ].join('\n');
}

const nameOf = ({ label, picked }: TaskRow) => (typeof picked === 'string' ? `${label} (${picked})` : label);

function cells(row: TaskRow, { accuracy, difference, examples }: Accuracy): string[] {
  const told = difference ? [points(difference.value), span(difference)] : ['', ''];
  return [nameOf(row), percent(accuracy), ...told, count(examples)];
}

function byTask(accuracy: Accuracy | undefined): string {
  if (!accuracy) return '—';
  const { difference } = accuracy;
  const mark = !difference ? '' : difference.low > 0 ? ' ▲' : difference.high < 0 ? ' ▼' : '';
  return percent(accuracy.accuracy) + mark;
}
