"""What the writers of test fixtures share: reproducible numbers, quiet exporters."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator

import numpy as np
import torch


def normal(rng: np.random.Generator, *shape: int, std: float = 1.0) -> torch.Tensor:
    """Normally distributed F32 numbers. NumPy's generator promises its stream; torch's depends on the build."""
    return torch.from_numpy((rng.standard_normal(shape) * std).astype(np.float32))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back the exporters' warnings and progress lines: none says anything about these known models."""
    previous = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            open(os.devnull, "w") as sink,
            contextlib.redirect_stdout(sink),
            contextlib.redirect_stderr(sink),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
