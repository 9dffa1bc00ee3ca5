"""Learning-rate schedules."""

from __future__ import annotations

import math

WARM_UP = 0.06


def steady(step: int, steps: int) -> float:
    """Factor on the peak learning rate: linear over the first 6 %, then 1, as in PHATGOOSE's released code."""
    warm = max(1, round(steps * WARM_UP))
    return min(1.0, (step + 1) / warm)


def rate(step: int, steps: int) -> float:
    """Factor on the peak learning rate: linear over the first 6 %, then a cosine to 0."""
    warm = max(1, round(steps * WARM_UP))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
