/**
 * How much of each thing Gander accepts. Each limit is checked before the work that it bounds, and exceeding one is an error
 * with a message. docs/pool-format.md and docs/trace-format.md give the reasons.
 */
const [KiB, MiB, GiB] = [2 ** 10, 2 ** 20, 2 ** 30];

export const poolLimits = {
  /** Experts of a pool: each is drawn, and takes space in every trace. */
  experts: 1024,
  /** Bytes of a JSON file other than a tokenizer. */
  json: 4 * MiB,
  tokenizer: 256 * MiB,
  /** Bytes of a safetensors file's header. */
  header: 16 * MiB,
  /** Bytes of a model card that are read; its front matter comes first. */
  card: 64 * KiB,
  /** Characters of one of its fields: a YAML parser takes quadratic time on invalid input. */
  cardField: 4 * KiB,
  /** Bytes that a data file may have in addition to twice those that the model uses: a larger one would be hashed for minutes. */
  unusedData: GiB,
  /** Bytes of a model file: ONNX files are protocol buffers, which cannot be larger. */
  model: 2 * GiB - 1,
  /** Bytes of all files that a pool's hash is computed from. */
  bytes: 64 * GiB,
  /** Bytes of one expert's files. */
  expertBytes: 4 * GiB,
  /** Bytes of one expert's examples: they are held in memory. */
  exampleBytes: 256 * MiB,
  /** Bytes of an X-LoRA classifier, which is copied into a graph of its own. */
  classifier: GiB,
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
  /** Bytes of a composed pool's experts, and of the part that is in memory at a time: one group of modules. */
  composed: 32 * GiB,
  group: 2 * GiB,
  /** Experts are padded to the largest rank. This many bytes of padding are always allowed; beyond that, this many times their own size. */
  padded: GiB,
  paddedTimes: 4,
  /** Multiplications to make one expert's factors orthonormal. */
  work: 5e10,
} as const;

export const traceLimits = {
  bytes: 512 * MiB,
  /** Bytes of its header, which is parsed in one go: a second's work. */
  header: 8 * MiB,
  /** Each token, module and expert is drawn; this many take seconds. */
  tokens: 32_768,
  modules: 4096,
  experts: poolLimits.experts,
  interventions: 10_000,
  /** Number of what-ifs and of their token ranges, times the number of modules: that many lookups take a few seconds. */
  lookups: 2 ** 23,
  versions: 100,
} as const;

/** Limits of files from other programs; the trace that they become has its own limits too. */
export const importLimits = {
  bytes: 256 * MiB,
  /** Bytes of one line: onnxruntime writes a record of up to two million choices as a single line. */
  line: 64 * MiB,
  /** Choices of experts: one for each token, layer and rank. */
  choices: 2 ** 25,
  /** Experts of all layers together: each has a name in the trace's header. */
  experts: 2 ** 17,
  /** Bytes of a model's config.json. */
  config: 4 * MiB,
  /** Bytes of the text that was routed. */
  text: 4 * MiB,
} as const;

/** Limits of an atlas that is opened in the editor; another person may have made it. */
export const atlasLimits = {
  /** Bytes of atlas.json, which names every document that was left out. */
  about: 64 * MiB,
  /** Bytes of names.json. */
  names: 16 * MiB,
  /** Bytes of one table. */
  table: 2 * GiB,
  /** Rows of one answer: each is drawn. */
  rows: 2 ** 20,
  /** Rows of all units for a token that is looked for. */
  found: 20_000,
} as const;

/** Most tokens that an encoder-decoder writes if neither an output nor a number is given. */
export const writtenTokens = 64;
/** Limits of servers' answers; the trace that an answer becomes has its own limits too. */
export const serverLimits = {
  /** Bytes of an answer with a run, as JSON. */
  run: 256 * MiB,
  /** Bytes of a server's description of itself. */
  facts: 16 * MiB,
  /** Bytes of its answer to a failed request. */
  failure: 64 * KiB,
  /** Bytes of an answer apart from its tokens, and members of its objects. */
  said: MiB,
  members: 10_000,
  /** Experts of a token in all layers, if the model's config.json does not give the number. */
  choices: 4096,
  /** Bytes about one token, or about one alternative to it. */
  entry: KiB,
  /** Tokens that a server writes if the request does not say how many. */
  written: 4096,
  /** Requests at a time; more wait in Gander. */
  atOnce: 4,
  /** Experts in a set that a server describes itself. */
  experts: poolLimits.experts,
  /** Characters of a server's message that are shown. */
  words: 300,
} as const;

/** Half the number of edits between two texts up to which their alignment is guaranteed to be shortest. */
export const alignedEdits = 256;
