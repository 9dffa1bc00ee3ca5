"""What interventions do at one router, as src/trace/model/whatIf.ts has it for the extension's engine."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import torch
from gander_trace import Site
from torch import Tensor

from gander_serve.asked import Intervention, Scope
from gander_serve.errors import refused

NEVER = -1e30
"""Stands for −∞: next to any score softmax makes it 0, and never gives NaN."""


def holds(scope: Scope, site: Site) -> bool:
    """Whether a scope can include tokens of a site."""
    wanted = (
        (scope.stack, site.stack),
        (scope.layer, site.layer),
        (scope.kind, site.kind),
        (scope.module, site.path),
        (scope.of_sequence(), site.sequence),
    )
    return all(asked is None or asked == own for asked, own in wanted)


Acting = tuple[Intervention, int]
"""An intervention, and its expert's index."""


class SiteWhatIf:
    """The interventions at one site; those on experts that it does not have are left out."""

    def __init__(self, interventions: Sequence[Intervention], site: Site, experts: Sequence[str]) -> None:
        self.path, self.width = site.path, len(experts)
        index = {identifier: i for i, identifier in enumerate(experts)}
        self.acting: list[Acting] = [
            (one, index[one.expert]) for one in interventions if one.expert in index and holds(one.scope, site)
        ]
        spans = [span for one, _ in self.acting for span in one.scope.spans() or ()]
        self.edges = sorted({edge for span in spans for edge in span})
        """Token indices at which a scope begins or ends; between two of them all tokens have the same bias."""
        self.cells: dict[int, Tensor] = {}

    def bias(self, first: int, last: int) -> Tensor | None:
        """The bias on the scores of tokens [first, last): [last − first, N], or [1, N] if all have the same.

        A forced expert is the only one left. Raises ``ServeError`` if none is left.
        """
        if not self.acting:
            return None
        if bisect_right(self.edges, first) == bisect_right(self.edges, last - 1):
            return self._cell(first)[None]
        return torch.stack([self._cell(token) for token in range(first, last)])

    def _cell(self, token: int) -> Tensor:
        stretch = bisect_right(self.edges, token)
        if stretch not in self.cells:
            self.cells[stretch] = self._made([one for one in self.acting if one[0].scope.holds_at(token)])
        return self.cells[stretch]

    def _made(self, acting: Sequence[Acting]) -> Tensor:
        """The last intervention on an expert wins; a later knock-out or tilt of a forced expert ends the force."""
        bias, forced = torch.zeros(self.width), -1
        for one, expert in acting:
            if one.action == "force":
                forced = expert
                bias[expert] = 0
            else:
                forced = -1 if forced == expert else forced
                bias[expert] = NEVER if one.action == "knock-out" else max(one.amount, NEVER)
        if forced >= 0:
            alone = torch.full_like(bias, NEVER)
            alone[forced] = bias[forced]
            bias = alone
        if bool((bias <= NEVER).all()):
            raise refused(f"No expert is left at {self.path}: all are knocked out.", "Leave one of its experts in.")
        return bias
