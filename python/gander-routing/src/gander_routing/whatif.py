"""What-ifs: knock-outs, forced experts and logit biases (tilts)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from gander_routing.pool import Expert, Module, index_of


@dataclass(frozen=True)
class Scope:
    """Where an intervention applies; None means everywhere on that axis."""

    layer: int | None = None
    kind: str | None = None
    module: str | None = None
    token: int | None = None
    stack: str | None = None
    sequence: int | None = None
    tokens: tuple[tuple[int, int], ...] | None = None  # each [from, to)

    def columns(self, tokens: int) -> Tensor:
        """Indices of the tokens in scope, ascending; ``tokens`` is how many there are."""
        here = torch.arange(tokens)
        inside = torch.ones(tokens, dtype=torch.bool) if self.token is None else here == self.token
        if self.tokens is not None:
            spans = [(here >= first) & (here < last) for first, last in self.tokens]
            inside = inside & torch.stack(spans).any(0)
        return here[inside]

    def modules(self, modules: Sequence[Module]) -> list[int]:
        """Indices of the modules in scope."""
        wanted = (
            (self.layer, "layer"),
            (self.kind, "kind"),
            (self.module, "path"),
            (self.stack, "stack"),
            (self.sequence, "sequence"),
        )
        return [
            index
            for index, module in enumerate(modules)
            if all(value is None or getattr(module, key) == value for value, key in wanted)
        ]

    def header(self) -> dict[str, Any]:
        """The form in a trace's header."""
        return {key: value for key, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class Intervention:
    """A what-if: a knock-out (affinity −∞), a forced expert (weight 1), or a logit bias ``amount`` (tilt)."""

    action: Literal["knock-out", "force", "tilt"]
    expert: str
    scope: Scope = Scope()
    amount: float = 0.0

    def header(self) -> dict[str, Any]:
        """The form in a trace's header."""
        amount = {"amount": self.amount} if self.action == "tilt" else {}
        return {"action": self.action, "expert": self.expert, **amount, "scope": self.scope.header()}


def apply_interventions(
    interventions: Sequence[Intervention], modules: Sequence[Module], experts: Sequence[Expert], tokens: int
) -> tuple[Tensor, Tensor]:
    """A bias [M, T, N] on affinities, and fixed weights [M, T, N] that are NaN where the router decides.

    A later intervention replaces an earlier one on the same expert, module and token. A forced expert stays forced
    until a later intervention names it or forces another.
    """
    bias = torch.zeros(len(modules), tokens, len(experts))
    fixed = torch.full_like(bias, math.nan)
    for item in interventions:
        expert = index_of(experts, item.expert)
        rows = torch.tensor(item.scope.modules(modules), dtype=torch.long)
        columns = item.scope.columns(tokens)
        place = (rows[:, None], columns[None, :])
        if item.action == "force":
            alone = torch.zeros(len(experts))
            alone[expert] = 1
            fixed[place] = alone
            bias[*place, expert] = 0
        else:
            forced = fixed[place]
            forced[forced[..., expert] == 1] = math.nan
            fixed[place] = forced
            bias[*place, expert] = -math.inf if item.action == "knock-out" else item.amount
    return bias, fixed
