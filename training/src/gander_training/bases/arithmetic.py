"""The arithmetic to train on a base in."""

from __future__ import annotations

from collections.abc import Mapping

import torch

# On x86 the first two, on ARM the last. Without them torch multiplies bfloat16 in plain loops or converts it.
PRODUCTS = ("amx_bf16", "avx512_bf16", "bf16")


def usual_dtype(capabilities: Mapping[str, object] | None = None) -> torch.dtype:
    """bfloat16 if the processor multiplies in it, otherwise float32.

    ``capabilities`` are those of ``torch.cpu.get_capabilities()``, by default this processor's.
    """
    has = torch.cpu.get_capabilities() if capabilities is None else capabilities
    return torch.bfloat16 if any(has.get(name) for name in PRODUCTS) else torch.float32
