"""How affinities become routing weights.

The formulas come from Muqeeth et al., "Learning to Route Among Specialized Experts for Zero-Shot Generalization"
(arXiv 2402.05859) and, for arrow, Ostapenko et al., "Towards Modular LLMs by Building and Reusing a Library of LoRAs"
(arXiv 2405.11157).

Axes: M modules, T tokens, N experts, k chosen experts.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from gander_routing.errors import UserError
from gander_routing.pool import Expert, Lora, index_of, modules_of

EPSILON = 1e-5
StrategyName = Literal[
    "base",
    "single",
    "phatgoose",
    "retrieval",
    "merged",
    "merged-factors",
    "average-activation",
    "arrow",
    "jointly-trained",
    "multitask",
    "x-lora",
]
ROUTED = ("phatgoose", "average-activation", "arrow", "jointly-trained")


@dataclass(frozen=True)
class Strategy:
    """A strategy. ``k`` and ``epsilon`` (see ``choose``) are for routed ones, ``expert`` for single and retrieval."""

    name: StrategyName
    k: int = 2
    expert: str | None = None
    epsilon: float = 0  # the pool's weightEpsilon

    def header(self) -> dict[str, Any]:
        """The form in a trace's header."""
        if self.name in ROUTED:
            return {"name": self.name, "k": self.k}
        return {"name": self.name, "expert": self.expert} if self.expert else {"name": self.name}


def scored_by(strategy: StrategyName, experts: Sequence[Expert]) -> StrategyName:
    """The strategy whose scores are recorded: beside fixed weights the gates', or arrow's if no expert has a gate."""
    if strategy in ROUTED:
        return strategy
    return "phatgoose" if any(expert.gate for expert in experts) else "arrow"


def vectors_of(expert: Expert, strategy: StrategyName) -> dict[str, Tensor]:
    """The vectors [d_in] that ``strategy`` scores tokens against."""
    if strategy == "arrow":
        return expert.directions
    if strategy == "jointly-trained":
        return expert.router_rows
    return expert.activation if strategy == "average-activation" else expert.gate


def layer_norm(x: Tensor) -> Tensor:
    """LN over the last axis: biased variance, eps 1e-5, no affine."""
    return functional.layer_norm(x, x.shape[-1:], eps=EPSILON)


def affinities(u: Tensor, vectors: Tensor, strategy: StrategyName) -> Tensor:
    """Scores [T, N] of activations u [T, d_in] against raw vectors [N, d_in], in F32."""
    u = u.float()
    if strategy == "arrow":
        return (u @ vectors.T).abs()
    if strategy == "jointly-trained":  # a linear layer on inputs scaled to one size
        return u @ vectors.T * (u.var(-1, correction=0, keepdim=True) + EPSILON).rsqrt()
    return layer_norm(u) @ layer_norm(vectors).T / math.sqrt(u.shape[-1])


def choose(scores: Tensor, k: int, epsilon: float = 0) -> tuple[Tensor, Tensor]:
    """The k best of scores [T, N] and their weights: experts [T, k] and weights [T, k].

    p = softmax over all N, w = p / (sum of the chosen p + epsilon); without epsilon, the softmax over the chosen. The
    authors' code uses 1e-6, which makes a weight smaller by a share of at most 1e-6 · N / k.

    A score of −inf is never chosen; −1 with weight 0 takes its place. On a tie the lower index wins, by a stable sort.
    """
    best, order = scores.sort(dim=-1, descending=True, stable=True)
    best, order = best[:, :k], order[:, :k]
    taken = best > -math.inf
    share = (best.logsumexp(-1, keepdim=True) - scores.logsumexp(-1, keepdim=True)).exp()
    weight = torch.softmax(best, dim=-1) * (share / (share + epsilon))
    return order.where(taken, torch.tensor(-1).to(order)), weight.where(taken, torch.zeros(()).to(best))


def listed(fixed: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Weights [T, N] as experts [T, width] and weights [T, width], largest first; a weight of 0 becomes expert −1."""
    ranked = fixed.where(fixed != 0, torch.tensor(-math.inf).to(fixed))
    order = ranked.sort(dim=-1, descending=True, stable=True).indices[:, :width]
    weight = fixed.gather(1, order)
    return order.where(weight != 0, torch.tensor(-1).to(order)), weight


def fixed_weights(strategy: Strategy, experts: Sequence[Expert]) -> Tensor | None:
    """The weights [1, 1, N] of a strategy that does not route, or None.

    Raises ``UserError`` for x-lora: where it is supported, its weights are those of ``xlora.ScaledRouter``.
    """
    count = len(experts)
    if strategy.name in ROUTED:
        return None
    if strategy.name == "x-lora":
        raise UserError("the strategy x-lora is only for a model that continues a text, not for an encoder-decoder")
    if strategy.name == "merged":
        return torch.full((1, 1, count), 1 / count)
    weights = torch.zeros(1, 1, count)
    if strategy.name in ("single", "retrieval"):
        weights[..., index_of(experts, strategy.expert)] = 1
    return weights


def mean_as_stored(parts: Sequence[Tensor], stored: torch.dtype) -> Tensor:
    """The mean of F32 tensors, zero-padded to the largest; every partial sum is rounded to the type ``stored``."""
    shape = [max(sizes) for sizes in zip(*(part.shape for part in parts), strict=True)]
    total = torch.zeros(shape, dtype=stored)
    for part in parts:
        total = total + functional.pad(part, (0, shape[1] - part.shape[1], 0, shape[0] - part.shape[0])).to(stored)
    return (total / len(parts)).float()


def merged_factors(experts: Sequence[Expert]) -> Expert:
    """One adapter with the mean A, the mean B and the mean scale, as the authors' ``average_lora_weights`` makes it.

    An expert without a matrix at a module counts as zeros. The authors' code adds up expert after expert in the
    checkpoint's bfloat16; so does this, because the rounding shows in the third digit of a weight.
    """
    lora = {}
    for module in modules_of(experts):
        parts = [part for expert in experts if (part := expert.lora.get(module.path))]
        stored = functools.reduce(torch.promote_types, (part.stored for part in parts))
        absent = [torch.zeros(1, 1)] * (len(experts) - len(parts))
        lora[module.path] = Lora(
            mean_as_stored([*(part.a for part in parts), *absent], stored),
            mean_as_stored([*(part.b for part in parts), *absent], stored),
            sum(part.scale for part in parts) / len(parts),
            stored,
        )
    return Expert("merged-factors", "merged-factors", lora)


def whole_adapter(strategy: Strategy, experts: Sequence[Expert], multitask: Expert | None) -> Expert | None:
    """The adapter that every token goes through under ``strategy``, unweighted; None if the strategy has none."""
    if strategy.name == "merged-factors":
        return merged_factors(experts)
    if strategy.name != "multitask":
        return None
    if multitask is None:
        raise UserError("the pool has no multitask adapter")
    return multitask


def router_of(strategy: Strategy) -> dict[str, Any]:
    """A strategy as ``router`` in a trace's header."""
    routed = strategy.name in ROUTED
    params: dict[str, Any] = {"expert": strategy.expert} if strategy.expert else {}
    if routed and strategy.epsilon:
        params["epsilon"] = strategy.epsilon
    k = {"k": strategy.k} if routed else {}
    return {"name": strategy.name, **k, "scoring": "softmax", **({"params": params} if params else {})}
