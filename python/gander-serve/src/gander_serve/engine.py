"""Runs requests on any model: in chunks over its keys and values, checking between them whether to continue."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
import transformers
from gander_trace import Expert, Source, Trace
from gander_trace import Sequence as TraceSequence
from gander_trace.file import MOST_BYTES
from torch import Tensor

from gander_serve import VERSION
from gander_serve.asked import Attribute, Generate, Intervention, Route, Scope
from gander_serve.errors import ServeError, refused
from gander_serve.frame import Array, Recorder, Unrecorded
from gander_serve.limits import Together
from gander_serve.passage import Model, Passage
from gander_serve.steps import Steps, steps_of
from gander_serve.texts import Text
from gander_serve.together import most_together, packed, step

MOST_TOKENS = 32_768
"""The most tokens in a trace (docs/trace-format.md)."""
WRITTEN = 64
"""The most tokens that an encoder-decoder writes if a request neither gives nor limits its output."""


class Control(Protocol):
    """What a run needs from whoever asked for it."""

    def check(self) -> None:
        """Raises ``ServeError`` if nobody waits for the run any more."""

    def progress(self, done: int, total: int) -> None: ...

    def partial(self, trace: Callable[[], Trace]) -> None:
        """Called between chunks. ``trace`` makes a partial trace, if somebody wants to see it."""


@dataclass(frozen=True)
class Attribution:
    """``log_prob`` [T]; ``change`` [T, N]: log-probability with the expert knocked out − with all experts."""

    experts: Sequence[Expert]
    log_prob: Array
    change: Array


@dataclass(frozen=True)
class Score:
    """``bits``: −Σ log₂ p over the predicted tokens that are text; ``bytes``: of UTF-8 that these tokens cover."""

    bits: float
    bytes: int
    tokens: int


class Engine:
    """Runs one request at a time, or several in one pass; the caller must not call it from two threads at once.

    ``chunk``: tokens between checks whether to continue. ``tokens``: the most in one request. ``together``: the most in
    one pass.
    """

    def __init__(
        self, model: Model, chunk: int = 128, tokens: int | None = None, together: Together | None = None
    ) -> None:
        self.model, self.loaded = model, model.loaded
        self.steps = steps_of(self.loaded)
        self.chunk = max(1, chunk) if self.steps is Steps.CHUNKS else MOST_TOKENS
        self.together = together or Together()
        self.requests = most_together(self.loaded, self.together.requests)
        self.limit = min(tokens or MOST_TOKENS, self.loaded.context or MOST_TOKENS, MOST_TOKENS)
        self.source = Source(
            "server",
            self.loaded.name,
            tokenizer=self.loaded.tokenizer.hash,
            versions={
                "gander-serve": VERSION,
                "torch": torch.__version__,
                "transformers": transformers.__version__,
            },
        )

    @torch.no_grad()
    def route(self, route: Route, control: Control) -> Trace:
        """The trace of a text. An encoder-decoder without a target writes one, greedily."""
        if self.loaded.writes and route.target is None:
            return self._write(Generate(route, WRITTEN), control)
        passage = self._passage(route)
        with passage.run.watching():
            for _ in self._read(passage, control):
                control.partial(passage.trace)
        return passage.trace()

    def kind(self, route: Route) -> Hashable | None:
        """Requests for a trace with the same kind may run in one pass; ``None`` means only alone."""
        named = route.strategy
        # Retrieval chooses the expert by the text.
        by_text = named is not None and named.name == "retrieval" and named.expert is None
        if route.interventions or by_text or (self.loaded.writes and route.target is None):
            return None
        return ("route", named)

    @torch.no_grad()
    def route_together(self, asked: Sequence[tuple[Route, Control]]) -> Iterator[tuple[int, Trace]]:
        """Runs requests of one kind in shared passes; yields index and trace of each as it is done.

        It leaves out requests that are longer than a chunk, cannot be run, are no longer waited for or have no others
        to share a pass with; run those with ``route``.
        """
        askers: dict[Passage, tuple[int, Control]] = {}
        for i, (route, control) in enumerate(asked):
            with suppress(ServeError):
                askers[self._passage(route)] = i, control
        short = [one for one in askers if len(one.last) <= self.chunk]
        for pack in packed(short, self.together.tokens):
            waiting = [one for one in pack if _is_waited_for(askers[one][1])]
            if len(waiting) < 2:
                continue
            step(waiting)
            for passage in waiting:
                i, control = askers[passage]
                control.progress(passage.total, passage.total)
                yield i, passage.trace()

    @torch.no_grad()
    def generate(self, asked: Generate, control: Control) -> Trace:
        """The trace of a text and the model's continuation, which follows the target if there is one."""
        if self.steps is Steps.WHOLE:
            raise refused("This version of transformers cannot continue a text with this model.", "Ask for a route.")
        return self._write(asked, control)

    @torch.no_grad()
    def attribute(self, asked: Attribute, control: Control) -> Attribution:
        """The change of each token's log-probability when each expert in turn is knocked out everywhere."""
        route = asked.route
        if self.loaded.writes and route.target is None:
            raise refused("An encoder-decoder's attribution needs a target.", 'Send a "target".')
        route = replace(route, strategy=self.model.settled(route.strategy, route.text))
        passage = self._run(route, control)
        experts = self._attributed(passage.trace(), asked)
        log_prob = np.array(passage.said.log_prob, np.float32)
        change = np.zeros((len(log_prob), len(experts)), np.float32)
        for i, expert in enumerate(experts):
            header = {"action": "knock-out", "expert": expert.id, "scope": {}}
            out = Intervention("knock-out", expert.id, Scope(), 0, header)
            other = self._run(replace(route, interventions=[*route.interventions, out]), control)
            change[:, i] = np.array(other.said.log_prob, np.float32) - log_prob
            control.progress(i + 1, len(experts))
        return Attribution(experts, log_prob, change)

    @torch.no_grad()
    def score(self, route: Route, control: Control) -> Score:
        """How well the model predicts a text, or a target."""
        if self.loaded.writes and route.target is None:
            raise refused("An encoder-decoder's score needs a target.", 'Send a "target".')
        begun = self._begin(route)
        passage = replace(begun, recorder=Unrecorded(begun.run.frame))
        with passage.run.watching():
            for _ in self._read(passage, control):
                pass
        return score_of(passage.sequences()[-1])

    def _run(self, route: Route, control: Control) -> Passage:
        passage = self._passage(route)
        with passage.run.watching():
            for _ in self._read(passage, _Silent(control)):
                pass
        return passage

    def _attributed(self, trace: Trace, asked: Attribute) -> Sequence[Expert]:
        """A pool's experts, or a mixture's most chosen ones (as in src/trace/figures/attributed.ts)."""
        if self.model.experts:
            return self.model.experts
        counted: list[tuple[int, Expert]] = []
        for rows in trace:
            if asked.layer is not None and rows.site.layer != asked.layer:
                continue
            special = trace.sequences[rows.site.sequence].special
            chosen = rows.chosen if special is None else rows.chosen[special == 0]
            counts = np.bincount(chosen[chosen >= 0].astype(np.int64), minlength=len(rows.experts))
            counted += [(int(count), one) for count, one in zip(counts, rows.experts, strict=True) if count]
        counted.sort(key=lambda pair: -pair[0])
        return [one for _, one in counted[: asked.most]]

    def _passage(self, route: Route) -> Passage:
        """Begins a request whose answer is a trace. Raises ``ServeError`` if that would be too large."""
        passage = self._begin(route)
        frame, texts = passage.run.frame, passage.texts
        cells = sum(len(frame.expert_sets[one.expert_set].experts) * len(texts[one.sequence]) for one in frame.sites)
        if 4 * cells > MOST_BYTES:  # refused now, not after an hour's work
            raise ServeError(
                "trace-invalid",
                f"The scores of {passage.total} tokens at {len(frame.sites)} sites take {4 * cells} bytes, "
                "too many for a trace.",
                "Send less text.",
            )
        return passage

    def _begin(self, route: Route) -> Passage:
        """Tokenizes a request's texts and begins its run."""
        texts = [self.loaded.tokenizer.read(route.text)]
        if self.loaded.writes:
            texts.append(self._output(route.target))
        elif route.target is not None:
            raise refused("This model reads only one text and takes no target.", "Leave out the target.")
        if not texts[0].ids:
            raise ServeError("text-empty", "The text has no tokens.", "Send some text.")
        total = sum(len(text) for text in texts)
        if total > self.limit:
            raise too_long(f"{total} tokens", self.limit)
        run = self.model.begin(route, self.source)
        return Passage(self.model, run, texts, Recorder(run.frame))

    def _output(self, target: str | None) -> Text:
        """What a decoder reads: its start token, and the target without its end token."""
        config = self.loaded.model.config
        start = config.decoder_start_token_id or 0
        if target is None:
            return Text(self.loaded.tokenizer, [start], [None], "")
        given = self.loaded.tokenizer.read(target)
        kept = len(given.ids) - 1 if given.ids and given.ids[-1] in self.loaded.ends else len(given.ids)
        spans = None if given.spans is None else [None, *given.spans[:kept]]
        return Text(self.loaded.tokenizer, [start, *given.ids[:kept]], spans, target)

    def _read(self, passage: Passage, control: Control) -> Iterator[None]:
        """Runs all given tokens; yields after each chunk."""
        ids, total = passage.last.ids, sum(len(text) for text in passage.texts)
        before = total - len(ids)
        if before:
            control.check()
            passage.read_input()
            control.progress(before, total)
        for first in range(0, len(ids), self.chunk):
            control.check()
            part = ids[first : first + self.chunk]
            logits = passage.step(part)
            passage.said.after(logits, ids[first + 1 : first + 1 + len(part)])
            control.progress(before + passage.done, total)
            yield

    def _write(self, asked: Generate, control: Control) -> Trace:
        passage = self._passage(asked.route)
        generator = torch.Generator().manual_seed(asked.seed % 2**63)
        known = sum(len(text) for text in passage.texts)
        before, given = known - len(passage.last), len(passage.last)
        most = given + min(asked.tokens, self.limit - known)
        with passage.run.watching():
            for _ in self._read(passage, control):
                control.partial(passage.trace)
            while (after := passage.after) is not None and passage.done < most:
                control.check()
                token = sample(after, asked.temperature, asked.top_p, generator)
                if token in self.loaded.ends:
                    break
                passage.last.write(token)
                # The pass before could not record this log-probability, because the next token was not known.
                passage.said.log_prob.append(float(after.log_softmax(-1)[token]))
                passage.said.after(passage.step([token]), [])
                control.progress(before + passage.done, before + most)
                control.partial(passage.trace)
        passage.last.end()
        return passage.trace()


def _is_waited_for(control: Control) -> bool:
    try:
        control.check()
    except ServeError:
        return False
    return True


@dataclass
class _Silent:
    """The control of a run inside another: it stops with the request, but does not report its progress."""

    control: Control

    def check(self) -> None:
        self.control.check()

    def progress(self, done: int, total: int) -> None:
        pass

    def partial(self, trace: Callable[[], Trace]) -> None:
        pass


def sample(logits: Tensor, temperature: float, top_p: float, generator: torch.Generator) -> int:
    """A token from logits [V]: the likeliest, or one drawn from the likeliest that together reach ``top_p``."""
    if temperature == 0:
        return int(logits.argmax())
    # In float64 and relative to the likeliest: with temperatures or shares near 0, float32 would give 0 or infinity.
    exact = logits.cpu().double()
    share, order = ((exact - exact.max()) / temperature).softmax(-1).sort(descending=True)
    # The token that reaches top_p is included.
    share = share.where(share.cumsum(-1) - share < top_p, 0)
    return int(order[torch.multinomial(share, 1, generator=generator)])


def score_of(told: TraceSequence) -> Score:
    """The score of a sequence, over predicted tokens that are text (as scoreOf in src/engine/local.ts)."""
    if told.start is None or told.end is None or told.text is None or told.log_prob is None:
        raise refused("This model's tokenizer does not say which text its tokens cover.", "Ask for a route.")
    units = told.text.encode("utf-16-le")
    bits, tokens, size = 0.0, 0, 0
    covered = 0 if told.start[0] < 0 else int(told.end[0])
    for start, end, log_prob in zip(
        told.start[1:].tolist(), told.end[1:].tolist(), told.log_prob[1:].tolist(), strict=True
    ):
        if start < 0:
            continue
        bits -= log_prob / math.log(2)
        tokens += 1
        # A character spread over several tokens is counted once.
        if end > covered:
            size += len(units[2 * covered : 2 * end].decode("utf-16-le").encode())
            covered = end
    return Score(bits, size, tokens)


def too_long(what: str, limit: int) -> ServeError:
    return ServeError("text-too-long", f"The text has {what}; at most {limit} tokens are allowed.", "Send less text.")
