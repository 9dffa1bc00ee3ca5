"""What a run reveals, gathered as it comes: what is the same for all tokens, and the columns of those that are done."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from gander_trace import Block, ExpertSet, Router, Site, Source, Trace
from gander_trace import Sequence as TraceSequence
from torch import Tensor

from gander_serve.texts import Text

Array = np.ndarray[Any, Any]
PREDICTIONS = 8
"""Likeliest next tokens that are told; as many as the extension's own engine tells."""


@dataclass(frozen=True)
class Frame:
    """``blocks``: neighbouring sites [first, last) over the same sequence, with as many experts and choices."""

    source: Source
    router: Router
    expert_sets: Sequence[ExpertSet]
    sites: Sequence[Site]
    blocks: Sequence[tuple[int, int]]
    interventions: Sequence[Mapping[str, Any]] = ()


class Run(Protocol):
    """One request on its way through a model: its hooks, and what they saw."""

    frame: Frame

    def watching(self) -> AbstractContextManager[Any]:
        """Steers and watches whatever runs through the model inside."""

    def expect(self, spans: Mapping[int, tuple[int, int]]) -> None:
        """Which tokens [from, to) of each sequence the next pass runs."""

    def seen(self) -> Sequence[Mapping[str, Array] | None]:
        """By site what the last pass revealed, columns of the trace as [T, …]; ``None`` where it did not pass."""


@dataclass
class Said:
    """What the model said of a sequence's tokens: natural log-probabilities, and the likeliest after each."""

    log_prob: list[float] = field(default_factory=list)
    top_ids: list[Array] = field(default_factory=list)
    top_log_prob: list[Array] = field(default_factory=list)

    def after(self, logits: Tensor, following: Sequence[int]) -> None:
        """``logits`` [T, V] after tokens; ``following`` are those that are known to come next, T or one less."""
        if not self.log_prob:
            self.log_prob.append(math.nan)
        known = logits.log_softmax(-1)
        best = known.topk(min(PREDICTIONS, known.shape[-1]), dim=-1)
        self.top_ids.append(best.indices.cpu().numpy())
        self.top_log_prob.append(best.values.cpu().numpy())
        if following:
            index = known.new_tensor(following).long()[:, None]
            self.log_prob += known[: len(following)].gather(1, index)[:, 0].tolist()


class Recorder:
    """A trace that grows."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.columns: list[dict[str, list[Array]]] = [{} for _ in frame.blocks]

    def add(self, seen: Sequence[Mapping[str, Array] | None]) -> None:
        """What one pass revealed."""
        for (first, last), columns in zip(self.frame.blocks, self.columns, strict=True):
            rows = [row for row in seen[first:last] if row is not None]
            if not rows:
                continue
            assert len(rows) == last - first, "the sites of a block are passed together"
            for name in rows[0]:
                columns.setdefault(name, []).append(np.stack([row[name] for row in rows]))

    def trace(self, sequences: Sequence[TraceSequence]) -> Trace:
        """All that is known, of so many tokens."""
        frame = self.frame
        blocks = []
        for (first, last), columns in zip(frame.blocks, self.columns, strict=True):
            whole = {name: np.concatenate(parts, axis=1) for name, parts in columns.items()}
            blocks.append(Block(first, last, **whole))
        return Trace(
            source=frame.source,
            router=frame.router,
            sequences=sequences,
            expert_sets=frame.expert_sets,
            sites=frame.sites,
            blocks=blocks,
            interventions=frame.interventions,
        )


class Unrecorded(Recorder):
    """Of a run of which only what is said of its tokens is wanted."""

    def add(self, seen: Sequence[Mapping[str, Array] | None]) -> None:
        pass


def sequence_of(text: Text, role: str, said: Said | None, readable: Any, count: int) -> TraceSequence:
    """The first ``count`` tokens of a text as a trace has them."""
    known: dict[str, Any] = {}
    if said is not None and said.top_ids:
        top_ids = np.concatenate(said.top_ids)[:count]
        known = {
            "log_prob": np.array(said.log_prob[:count], np.float32),
            "top_ids": top_ids,
            "top_log_prob": np.concatenate(said.top_log_prob)[:count],
            "top_tokens": [[readable(token) for token in row] for row in top_ids.tolist()],
        }
    tokens = text.tokens(count)
    return TraceSequence(
        count,
        role,  # type: ignore[arg-type]
        text=tokens.text,
        tokens=tokens.spelled,
        ids=tokens.ids,
        start=tokens.start,
        end=tokens.end,
        special=tokens.special,
        **known,
    )
