"""A request's progress through a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from gander_trace import Expert, ExpertSet, Site, Source, Trace
from gander_trace import Sequence as TraceSequence
from torch import Tensor

from gander_serve.asked import Route, Strategy
from gander_serve.frame import Recorder, Run, Said, sequence_of
from gander_serve.loading import Loaded
from gander_serve.texts import Text


class Model(Protocol):
    """A loaded, routed model."""

    loaded: Loaded
    family: str
    k: int | None
    strategies: Sequence[str]
    experts: Sequence[Expert]
    expert_sets: Sequence[ExpertSet]
    sites: Sequence[Site]
    warnings: Sequence[Any]

    def settled(self, strategy: Strategy | None, text: str) -> Strategy | None: ...

    def begin(self, route: Route, source: Source) -> Run: ...


@dataclass(eq=False)
class Passage:
    """A request's progress: the tokens that were run, what was recorded, and their keys and values."""

    model: Model
    run: Run
    texts: list[Text]
    """One text, or an input and an output."""
    recorder: Recorder
    said: Said = field(default_factory=Said)
    done: int = 0
    """How many tokens of the last text were run."""
    after: Tensor | None = None
    """Logits [V] after the last of those."""
    past: Any = None
    encoded: Any = None

    @property
    def last(self) -> Text:
        return self.texts[-1]

    @property
    def total(self) -> int:
        """How many tokens all texts have."""
        return sum(len(text) for text in self.texts)

    def read_input(self) -> None:
        """Runs the encoder, over the whole input and only once."""
        model, ids = self.model.loaded.model, self.texts[0].ids
        self.run.expect({0: (0, len(ids)), 1: (0, 0)})
        self.encoded = model.get_encoder()(input_ids=_batch(ids, model), return_dict=True)
        self.recorder.add(self.run.seen())

    def step(self, ids: Sequence[int]) -> Tensor:
        """Runs the next tokens of the last text: logits [T, V] in float32."""
        model, span = self.model.loaded.model, (self.done, self.done + len(ids))
        if self.encoded is None:
            self.run.expect({0: span})
            given = {"input_ids": _batch(ids, model)}
        else:
            self.run.expect({0: (0, len(self.texts[0])), 1: span})
            given = {"decoder_input_ids": _batch(ids, model), "encoder_outputs": self.encoded}
        loaded, first = self.model.loaded, self.done
        self.run.before(lambda past: loaded.step(given, first, past)[1])
        out, self.past = loaded.step(given, first, self.past)
        self.done = span[1]
        self.recorder.add(self.run.seen())
        logits = out[0].float()
        self.after = logits[-1]
        return logits

    def sequences(self) -> list[TraceSequence]:
        """The texts in the form of a trace, the last one with its predictions."""
        readable = self.model.loaded.tokenizer.readable
        roles = ["text"] if len(self.texts) == 1 else ["input", "output"]
        told = []
        for i, (text, role) in enumerate(zip(self.texts, roles, strict=True)):
            last = i == len(self.texts) - 1
            told.append(
                sequence_of(text, role, self.said if last else None, readable, self.done if last else len(text))
            )
        return told

    def trace(self) -> Trace:
        """The trace so far."""
        return self.recorder.trace(self.sequences())


def _batch(ids: Sequence[int], model: Any) -> Tensor:
    return torch.tensor([list(ids)], device=model.device)
