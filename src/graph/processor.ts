/** How onnxruntime computes 8-bit products on a processor. */
export interface Processor {
  /** Whether their sums are exact; some processors keep them in 16 bits. */
  readonly sums: 'exact' | 'exact when asked' | 'wrong';
  /** Whether inputs of a `MatMulNBits` are rounded if it allows that (accuracy_level 4). */
  readonly roundsInputs: boolean;
}
