/**
 * How much of each thing is taken: each is looked at before the work that it bounds, and what is over it is refused in
 * words. docs/pool-format.md and docs/trace-format.md give the reasons.
 */
const [KiB, MiB, GiB] = [2 ** 10, 2 ** 20, 2 ** 30];

export const poolLimits = {
  /** Experts of a pool: each is drawn, and each has its place in every trace. */
  experts: 1024,
  /** Bytes of a JSON file, a tokenizer apart. */
  json: 4 * MiB,
  tokenizer: 256 * MiB,
  /** Bytes of a safetensors file's header. */
  header: 16 * MiB,
  /** Bytes of a model card that are read; its front matter stands at the beginning. */
  card: 64 * KiB,
  /** Characters of one of its fields: a YAML parser takes time with the square of them where nothing is right. */
  cardField: 4 * KiB,
  /** Bytes of a model file: ONNX, a protocol buffer, allows no more. */
  model: 2 * GiB - 1,
  /** Bytes of all files that a pool's hash is made of. */
  bytes: 64 * GiB,
  /** Bytes of one expert's files. */
  expertBytes: 4 * GiB,
  /** Bytes of one expert's examples: they are held in memory. */
  exampleBytes: 256 * MiB,
  rank: 4096,
  /** Modules that one adapter changes. */
  modules: 10_000,
  /** Characters of a module's path. */
  modulePath: 512,
  /** Keys of `rank_pattern` or `alpha_pattern`, and those of them that are expressions. */
  patterns: 10_000,
  expressions: 100,
  /** Characters of an expression. */
  expression: 200,
  /** What a composed pool's experts take, bytes; and of that what is held at a time, one group of modules. */
  composed: 32 * GiB,
  group: 2 * GiB,
  /** Experts are padded to the largest rank. This much padding is always allowed; beyond it, so many times their own size. */
  padded: GiB,
  paddedTimes: 4,
  /** Of one expert, multiplications to make its factors orthonormal. */
  work: 5e10,
} as const;

export const traceLimits = {
  bytes: 512 * MiB,
  /** Bytes of its header, which is read at once: a second's work. */
  header: 8 * MiB,
  /** Each token, module and expert is drawn: this many take seconds. */
  tokens: 32_768,
  modules: 4096,
  experts: poolLimits.experts,
  interventions: 10_000,
  /** What-ifs and their ranges of tokens, each as often as there are modules: so often they are looked up, a few seconds' work. */
  lookups: 2 ** 23,
  versions: 100,
} as const;

/** Of files that others write: what they hold becomes a trace, whose limits hold besides. */
export const importLimits = {
  bytes: 256 * MiB,
  /** Bytes of one line: onnxruntime writes a record of up to two million choices as one. */
  line: 64 * MiB,
  /** Choices of an expert, one a token, layer and rank. */
  choices: 2 ** 25,
  /** Experts of all layers together: each has its name in the trace's header. */
  experts: 2 ** 17,
  /** Bytes of a model's config.json. */
  config: 4 * MiB,
  /** Bytes of the text that was routed. */
  text: 4 * MiB,
} as const;

/** Tokens that an encoder-decoder writes at most, where no output is given and nobody says how many. */
export const writtenTokens = 64;
/** Of servers that run models elsewhere. An answer becomes a trace, whose limits hold besides. */
export const serverLimits = {
  /** Bytes of an answer that holds a run, as JSON. */
  run: 256 * MiB,
  /** Bytes of what a server says of itself. */
  facts: 16 * MiB,
  /** Bytes of what it says of a failure. */
  failure: 64 * KiB,
  /** Bytes of an answer beside what it says of each token, and members of its objects. */
  said: MiB,
  members: 10_000,
  /** Experts of a token in all layers, where the model's config.json does not say it. */
  choices: 4096,
  /** Bytes of what is said of a token, or of one that could have stood there. */
  entry: KiB,
  /** Tokens that a server writes where nobody said how many. */
  written: 4096,
  /** Requests at a time; further ones wait here. */
  atOnce: 4,
  /** Experts of a set of a server's own description. */
  experts: poolLimits.experts,
  /** Characters of its words that are shown. */
  words: 300,
} as const;

/** Half of the edits of two texts up to which their alignment is a shortest one. */
export const alignedEdits = 256;
