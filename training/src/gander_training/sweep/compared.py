"""Compares a trace with what transformers computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gander_training.compatibility.ties import largest
from gander_training.sweep.truth import Site

EXACT = 1e-4  # as in docs/routers.md: ten times what float32 rounding causes, a hundredth of what a fault would
TIE = 1e-5  # two scores that are nearer than this may change places by rounding


@dataclass
class Compared:
    """The largest difference of a number, and the choices that differ because two scores were nearly the same."""

    off: float = 0.0
    ties: int = 0
    choices: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def is_exact(self) -> bool:
        return not self.wrong and self.off <= EXACT


def compare(own: Sequence[Site], theirs: Sequence[Site], log_prob: np.ndarray, wanted: np.ndarray) -> Compared:
    """Compare sites in the order of computation, and the log-probabilities [T − 1] of the text's tokens.

    After a choice that differs, the token's later numbers, and those of later tokens, are not compared.
    """
    result = Compared()
    if len(own) != len(theirs):
        result.wrong.append(f"{len(own)} routers instead of {len(theirs)}")
        return result
    tokens = len(log_prob) + 1
    for one, other in zip(own, theirs, strict=True):
        # Exporters may give modules names of their own.
        if layer_of(one.path) != layer_of(other.path):
            result.wrong.append(f"{one.path} instead of a router in {other.path}")
            return result
        if one.chosen.shape[1] != other.chosen.shape[1]:
            result.wrong.append(f"k of {one.path} is {one.chosen.shape[1]} instead of {other.chosen.shape[1]}")
            return result
        tokens = compare_site(one, other, tokens, result)
    result.off = max(result.off, largest(log_prob[: max(tokens - 1, 0)], wanted[: max(tokens - 1, 0)]))
    return result


def layer_of(path: str) -> str:
    """The first number in a module's path; empty if there is none."""
    return next((part for part in path.split(".") if part.isdigit()), "")


def compare_site(own: Site, theirs: Site, tokens: int, result: Compared) -> int:
    """Compare one router; returns how many tokens are still alike."""
    for token in range(tokens):
        result.choices += 1
        first, second = (np.sort(site.chosen[token]) for site in (own, theirs))
        if not np.array_equal(first, second):
            ranked = own.ranked[token]
            instead = np.setdiff1d(second, first), np.setdiff1d(first, second)
            gap = min(abs(ranked[a] - ranked[b]) for a in instead[0] for b in instead[1]) if len(instead[0]) else 0.0
            if not gap < TIE:
                result.wrong.append(f"other choices at {own.path}, token {token}")
                return 0
            result.ties += 1
            tokens = token
            break
    rows = slice(0, tokens)
    result.off = max(result.off, unlike(own.score[rows], theirs.score[rows]))
    order, other = own.chosen[rows].argsort(1), theirs.chosen[rows].argsort(1)
    weights = np.take_along_axis(own.weight[rows], order, 1), np.take_along_axis(theirs.weight[rows], other, 1)
    result.off = max(result.off, largest(*weights))
    return tokens


def unlike(score: np.ndarray, reported: np.ndarray) -> float:
    """The difference of router logits. Some of transformers' routers report their softmax instead."""
    if score.shape != reported.shape:
        return float("inf")
    return min(largest(one, reported) for one in (score, softmax(score)))


def softmax(score: np.ndarray) -> np.ndarray:
    """Over the experts."""
    power = np.exp(score - score.max(1, keepdims=True))
    result: np.ndarray = power / power.sum(1, keepdims=True)
    return result
