"""Reproducible random numbers."""

from __future__ import annotations

import numpy as np
import torch


def normal(rng: np.random.Generator, *shape: int, std: float = 1.0) -> torch.Tensor:
    """Normally distributed F32 numbers. NumPy guarantees its generator's stream; torch's depends on the build."""
    return torch.from_numpy((rng.standard_normal(shape) * std).astype(np.float32))
