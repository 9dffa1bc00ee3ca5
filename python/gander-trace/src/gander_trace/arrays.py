"""Converts arrays of other libraries to numpy."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from gander_trace.columns import Array


def as_array(given: Any) -> Array:
    """Takes a list, a numpy array or a torch tensor on any device; bfloat16, which numpy lacks, becomes float32."""
    if hasattr(given, "detach"):
        given = given.detach().cpu()
        if str(given.dtype) == "torch.bfloat16":
            given = given.float()
    return np.asarray(given)


class Short:
    """A dataclass whose repr gives only the sizes of arrays and lists, and leaves out fields that are None."""

    def __repr__(self) -> str:
        told = ((one.name, getattr(self, one.name)) for one in fields(self))  # type: ignore[arg-type]
        known = (f"{name}={_short(value)}" for name, value in told if value is not None)
        return f"{type(self).__name__}({', '.join(known)})"


MOST_SAID = 60
"""Characters per value in a repr."""


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, (list, tuple)):
        return f"[{len(value)}]"
    told = repr(value)
    return told if len(told) <= MOST_SAID else f"{told[: MOST_SAID - 1]}…"
