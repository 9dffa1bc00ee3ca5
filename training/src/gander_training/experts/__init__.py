"""An expert: a LoRA adapter on a frozen base."""
