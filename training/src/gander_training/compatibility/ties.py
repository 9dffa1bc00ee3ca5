"""What is left of a difference apart from what follows from near ties.

Rounded arithmetic sends a token to another expert where two are nearly as good; whatever comes after it then differs by
as much as experts do, and says nothing about the arithmetic.
"""

from __future__ import annotations

import numpy as np


def apart_from_ties(got: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
    """The largest difference of a number that no other choice came before.

    A choice that is another counts by half of the gap that it had to get over: both scores may have moved. ``got`` and
    ``expected`` as ``engine.route`` has them, modules in the model's order. In a causal model a choice changes its own
    token and those after it, at later modules.
    """
    paths = [name.removesuffix(":chosen") for name in got if name.endswith(":chosen") and name in expected]
    tokens = len(expected["log_prob"]) + 1
    most = 0.0
    for path in paths:
        own, theirs = got[f"{path}:affinity"][:tokens], expected[f"{path}:affinity"][:tokens]
        most = max(most, largest(own, theirs))
        chosen, wanted = got[f"{path}:chosen"], expected[f"{path}:chosen"]
        for token in np.flatnonzero((np.sort(chosen) != np.sort(wanted)).any(-1)):
            if token >= tokens:
                break
            scores = expected[f"{path}:affinity"][token]
            gap = scores[wanted[token]].min() - scores[np.setdiff1d(chosen[token], wanted[token])].min()
            most = max(most, float(gap) / 2)
            tokens = int(token)
    return max(most, largest(got["log_prob"][:tokens], expected["log_prob"][:tokens]))


def largest(got: np.ndarray, expected: np.ndarray) -> float:
    """Of the differences of two arrays. Where one has a number and the other none, they differ by more than any number."""
    unlike = np.isnan(got) != np.isnan(expected)
    return float(np.where(unlike, np.inf, np.nan_to_num(np.abs(got - expected))).max(initial=0.0))
