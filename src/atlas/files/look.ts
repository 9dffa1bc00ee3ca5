/** What an atlas of a corpus would take, before it is made. */
import type { LeftOut } from '../about.js';
import type { Plan } from '../calls.js';
import { textOf } from './content.js';
import type { CorpusDocument } from './corpus.js';
import { type Route, type TracedPart, whyLeftOut } from './make.js';
import { decode } from './runner.js';

/** How long the first documents are run to estimate how long all take. Milliseconds. */
const tried = 5000;

export interface Looking {
  readonly documents: AsyncIterable<CorpusDocument>;
  readonly route: Route;
  readonly signal: AbortSignal;
  readonly onLook: (document: string) => void;
}

/** Reads all documents, and runs the first few. Rejects with what stopped it. */
export async function lookAt({ documents, route, signal, onLook }: Looking): Promise<Plan> {
  const looked = new Looked();
  for await (const document of documents) {
    onLook(document.id);
    signal.throwIfAborted();
    await looked.look(document, route).catch((thrown: unknown) => {
      if (signal.aborted) throw thrown;
      looked.leftOut.push({ document: document.id, why: whyLeftOut(thrown) });
    });
  }
  return looked.plan;
}

class Looked {
  readonly leftOut: LeftOut[] = [];
  readonly #labels = new Set<string>();
  readonly #sample = { documents: 0, bytes: 0, tokens: 0, ms: 0 };
  #documents = 0;
  #bytes = 0;

  async look(document: CorpusDocument, route: Route): Promise<void> {
    const { bytes, target } = document.read();
    if (document.kind === 'trace') decode(bytes);
    else {
      const text = textOf(bytes);
      if (this.#sample.ms < tried) await this.#try(route(text, target));
    }
    this.#documents++;
    this.#bytes += bytes.length;
    if (document.label !== null) this.#labels.add(document.label);
  }

  get plan(): Plan {
    const estimate = this.#estimate();
    return {
      documents: this.#documents,
      bytes: this.#bytes,
      labels: [...this.#labels].sort(),
      leftOut: this.leftOut,
      ...(estimate && { estimate }),
    };
  }

  /** A long document is not run to its end. */
  async #try(parts: AsyncIterable<TracedPart>): Promise<void> {
    const sample = this.#sample;
    sample.documents++;
    let began = performance.now();
    for await (const { trace } of parts) {
      for (const { tokens } of trace.sequences) sample.tokens += tokens.count;
      sample.bytes += Buffer.byteLength(trace.sequences[0]?.text ?? '');
      sample.ms += performance.now() - began;
      if (sample.ms >= tried) return;
      began = performance.now();
    }
  }

  #estimate(): Plan['estimate'] {
    const { documents, bytes, tokens, ms } = this.#sample;
    if (bytes === 0) return undefined;
    const scale = this.#bytes / bytes;
    return { tokens: Math.round(tokens * scale), seconds: (ms * scale) / 1000, from: documents };
  }
}
