import type { StrategyDescriptor } from './strategy.js';

export const xLora: StrategyDescriptor = {
  name: 'x-lora',
  title: 'X-LoRA',
  hint: 'A classifier reads the base’s last hidden state and scales every adapter for each token, as PEFT’s X-LoRA does.',
  needs: ['xlora'],
  weights: { by: 'classifier' },
};
