/** What a processor makes of products in 8 bits, as onnxruntime computes them there. */
export interface Processor {
  /** Whether sums of them are what they should be; some hold them in 16 bits. */
  readonly sums: 'exact' | 'exact when asked' | 'wrong';
  /** Whether the inputs of a `MatMulNBits` that allows it (accuracy_level 4) are rounded. */
  readonly roundsInputs: boolean;
}
