"""Collects a run's trace as it grows: what is the same for all tokens, and the columns of those that are done."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
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
"""How many of the likeliest next tokens a trace contains; the same as in the extension's engine."""


@dataclass(frozen=True)
class Frame:
    """The parts of a trace that are the same for all tokens.

    ``blocks``: runs of neighbouring sites [from, to) with the same sequence, number of experts and k.
    """

    source: Source
    router: Router
    expert_sets: Sequence[ExpertSet]
    sites: Sequence[Site]
    blocks: Sequence[tuple[int, int]]
    interventions: Sequence[Mapping[str, Any]] = ()


class Run(Protocol):
    """One request's hooks on a model, and what they saw."""

    frame: Frame

    def watching(self) -> AbstractContextManager[Any]:
        """Steers and records what runs through the model inside this context."""

    def expect(self, spans: Mapping[int, tuple[int, int]]) -> None:
        """Announces which tokens [from, to) of each sequence the next pass runs."""

    def before(self, run: Callable[[Any], Any]) -> None:
        """Does what the next pass depends on. ``run`` runs that pass's tokens after a past and returns the next past."""

    def seen(self) -> Sequence[Mapping[str, Array] | None]:
        """The trace's columns from the last pass, by site, as [T, …]; ``None`` for a site that did not run."""


@dataclass
class Said:
    """A sequence's predictions: natural log-probabilities of its tokens, and the likeliest tokens after each."""

    log_prob: list[float] = field(default_factory=list)
    top_ids: list[Array] = field(default_factory=list)
    top_log_prob: list[Array] = field(default_factory=list)

    def after(self, logits: Tensor, following: Sequence[int]) -> None:
        """Adds logits [T, V]; ``following`` are the tokens that come next, T of them or, at the end, T − 1."""
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
    """Collects the columns of a trace."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.columns: list[dict[str, list[Array]]] = [{} for _ in frame.blocks]

    def add(self, seen: Sequence[Mapping[str, Array] | None]) -> None:
        """Adds the columns of one pass, by site."""
        for (first, last), columns in zip(self.frame.blocks, self.columns, strict=True):
            rows = [row for row in seen[first:last] if row is not None]
            if not rows:
                continue
            assert len(rows) == last - first, "the sites of a block run together"
            for name in rows[0]:
                columns.setdefault(name, []).append(np.stack([row[name] for row in rows]))

    def trace(self, sequences: Sequence[TraceSequence]) -> Trace:
        """The trace so far."""
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
    """For a run of which only the predictions are wanted."""

    def add(self, seen: Sequence[Mapping[str, Array] | None]) -> None:
        pass


def sequence_of(text: Text, role: str, said: Said | None, readable: Any, count: int) -> TraceSequence:
    """The first ``count`` tokens of a text, in the form of a trace."""
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
