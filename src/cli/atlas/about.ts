/** What an atlas is, in a few lines. */
import type { About } from '../../atlas/about.js';
import { decimal, plain } from '../../trace/text/label.js';

/** The most documents left out that are printed; atlas.json has all. */
const mostLeftOut = 10;

export function aboutJson({ run, corpus, totals, shuffles, leftOut }: About): object {
  return { run, corpus, totals, shuffles, leftOut };
}

export function aboutText({ run, corpus, totals, shuffles, leftOut }: About): string {
  const k = run.router.k === null ? '' : `:${run.router.k}`;
  const labels = corpus.labels.length;
  const lines = [
    `${plain(run.name)}  ${plain(run.router.name)}${k}`,
    `${totals.documents} documents, ${totals.tokens} tokens, ${labels} ${labels === 1 ? 'label' : 'labels'}, ` +
      `${decimal(totals.bitsPerByte ?? NaN, 3)} bits per byte`,
    chanceLine(labels, shuffles),
    ...leftOut.slice(0, mostLeftOut).map(({ document, why }) => `left out: ${plain(document)} ${plain(why)}`),
    ...(leftOut.length > mostLeftOut ? [`left out: ${leftOut.length - mostLeftOut} more, in atlas.json`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

function chanceLine(labels: number, shuffles: number): string {
  if (labels < 2) return 'chance: no labels to compare';
  if (shuffles === 0) return 'chance of labels: by the normal distribution over documents';
  return `chance of labels: ${shuffles} shuffles of the labels among documents`;
}
