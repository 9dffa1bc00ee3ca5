"""Arrays of whatever library as numpy's."""

from __future__ import annotations

from typing import Any

import numpy as np

from gander_trace.columns import Array


def as_array(given: Any) -> Array:
    """A list, a numpy array or a tensor of torch, wherever it lies; bfloat16, which numpy lacks, as float32."""
    if hasattr(given, "detach"):
        given = given.detach().cpu()
        if str(given.dtype) == "torch.bfloat16":
            given = given.float()
    return np.asarray(given)
