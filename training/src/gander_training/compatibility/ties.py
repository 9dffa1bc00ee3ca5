"""Separates differences in arithmetic from those that follow from near ties.

If two experts score almost the same, rounding can send a token to the other one. Everything after that then differs as
much as the experts do, which says nothing about the arithmetic.
"""

from __future__ import annotations

import numpy as np


def apart_from_ties(got: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
    """The largest difference that does not follow from a different choice.

    A different choice counts as half of the gap between the two scores, since both may have moved. ``got`` and
    ``expected`` have the form of ``engine.route``, with modules in the model's order. In a causal model a choice
    affects its own token and later ones, at later modules.
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
    """The largest difference of two arrays; infinite if only one of them has a number somewhere."""
    unlike = np.isnan(got) != np.isnan(expected)
    return float(np.where(unlike, np.inf, np.nan_to_num(np.abs(got - expected))).max(initial=0.0))
