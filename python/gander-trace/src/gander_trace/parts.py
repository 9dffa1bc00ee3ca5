"""What a trace holds: what one run of a routed model revealed (docs/trace-format.md), as numpy arrays.

Axes of a block: S sites, T tokens, N experts, k chosen, A shared experts; of a sequence: T tokens, P predictions.
What a source did not provide is ``None``: never invented, never zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Seq
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Literal

from gander_trace.arrays import Short
from gander_trace.columns import Array

Stack = Literal["encoder", "decoder"]


@dataclass(frozen=True)
class Expert:
    id: str
    name: str


@dataclass(frozen=True, repr=False)
class ExpertSet(Short):
    """What an expert's index means. ``pool``: the same experts at every site; ``layer``: the experts of one layer."""

    scope: Literal["pool", "layer"]
    experts: Seq[Expert]
    always_on: Seq[Expert] = ()


@dataclass(frozen=True)
class Site:
    """A routed module: a place where tokens are sent to experts."""

    path: str
    layer: int
    kind: str
    sequence: int = 0
    expert_set: int = 0
    stack: Stack | None = None


@dataclass(frozen=True)
class Source:
    kind: str
    name: str
    id: str | None = None
    hash: str | None = None
    tokenizer: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Router:
    """``scoring``: how scores become a distribution over all experts; ``None`` if unknown."""

    name: str
    k: int | None = None
    scoring: Literal["softmax", "sigmoid"] | None = None
    params: Mapping[str, str | int | float | bool] | None = None


@dataclass(frozen=True, repr=False)
class Sequence(Short):
    """The tokens that a model reads (``text``, ``input``) or writes (``output``)."""

    count: int
    role: Literal["text", "input", "output"] = "text"
    text: str | None = None
    tokens: Seq[str] | None = None
    ids: Array | None = None
    start: Array | None = None
    end: Array | None = None
    special: Array | None = None
    log_prob: Array | None = None
    top_ids: Array | None = None
    top_log_prob: Array | None = None
    top_tokens: Seq[Seq[str]] | None = None


@dataclass(frozen=True, repr=False)
class Block(Short):
    """Neighbouring sites [first, last) with the same sequence and the same number of experts and choices."""

    first: int
    last: int
    chosen: Array
    """[S, T, k] expert index, best first; −1: none, or unknown."""
    weight: Array | None = None
    """[S, T, k] the factor on the chosen expert's output."""
    score: Array | None = None
    """[S, T, N] the router's raw output."""
    selection: Array | None = None
    """[S, T, N] the scores that were compared, if they differ from ``score``."""
    contribution: Array | None = None
    """[S, T, k] ‖w s B A u‖ ÷ ‖W u‖."""
    always_on_weight: Array | None = None
    """[S, T, A] the factors on the shared experts' outputs."""

    @property
    def k(self) -> int:
        return int(self.chosen.shape[2])


@dataclass(frozen=True, repr=False)
class Rows(Short):
    """The rows of one site: views of its block's arrays."""

    site: Site
    experts: Seq[Expert]
    chosen: Array
    weight: Array | None
    score: Array | None
    selection: Array | None
    contribution: Array | None
    always_on_weight: Array | None


@dataclass(frozen=True, repr=False)
class Content:
    """A trace without what can be done with it."""

    source: Source
    router: Router
    sequences: Seq[Sequence]
    expert_sets: Seq[ExpertSet]
    sites: Seq[Site]
    blocks: Seq[Block]
    interventions: Seq[Mapping[str, Any]] = ()
    created: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat())

    def __repr__(self) -> str:
        tokens = " + ".join(str(one.count) for one in self.sequences)
        experts = max((len(one.experts) for one in self.expert_sets), default=0)
        said = f"{tokens} tokens, {len(self.sites)} sites, {experts} experts, {self.router.name}"
        return f"<Trace of {self.source.name!r}: {said}{'' if self.router.k is None else f', k {self.router.k}'}>"

    def __getitem__(self, path: str) -> Rows:
        """The rows of the site with this path. Raises ``KeyError`` if there is none."""
        for rows in self:
            if rows.site.path == path:
                return rows
        raise KeyError(path)

    def __iter__(self) -> Iterator[Rows]:
        """The rows of each site."""
        for block in self.blocks:
            for row, site in enumerate(self.sites[block.first : block.last]):

                def at(column: Array | None, row: int = row) -> Array | None:
                    return None if column is None else column[row]

                yield Rows(
                    site=site,
                    experts=self.expert_sets[site.expert_set].experts,
                    chosen=block.chosen[row],
                    weight=at(block.weight),
                    score=at(block.score),
                    selection=at(block.selection),
                    contribution=at(block.contribution),
                    always_on_weight=at(block.always_on_weight),
                )
