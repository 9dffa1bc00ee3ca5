"""A trace: everything that one run of a routed model reveals; read, written, and made from what models return."""

from __future__ import annotations

from collections.abc import Sequence as Seq
from dataclasses import dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from gander_trace import file as files
from gander_trace.arrays import as_array
from gander_trace.columns import Array
from gander_trace.errors import TraceError
from gander_trace.parts import Block, Content, Expert, ExpertSet, Router, Sequence, Site, Source
from gander_trace.routers import Decision, decide, sparse_layers
from gander_trace.table import table_of
from gander_trace.tokens import Tokens

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, repr=False)
class Trace(Content):
    @classmethod
    def load(cls, file: str | PathLike[str]) -> Trace:
        """Reads a file of version 1 or 2. Raises ``TraceError`` if it is not a trace."""
        return cls(**vars(files.load(file)))

    def save(self, file: str | PathLike[str]) -> None:
        """Writes ``file``. The editor opens files named ``*.gander.safetensors``.

        Raises ``TraceError`` if the trace breaks the format or cannot be written; an existing file then stays intact.
        """
        files.save(self, file)

    def to_bytes(self) -> bytes:
        """The bytes that ``save`` would write. Raises ``TraceError`` if the trace breaks the format."""
        return files.to_bytes(self)

    def to_pandas(self) -> DataFrame:
        """One row per choice, with the site, the token, the expert and what is known about them.

        Columns: ``site``, ``layer``, ``stack``, ``kind``, ``sequence``, ``token`` (its index), ``text`` (as the
        vocabulary spells it), ``rank`` (0: best), ``expert`` (its id), ``weight``, ``contribution``, ``score``,
        ``selection``. What the source did not provide is NaN or None. Raises ``TraceError`` if pandas is not installed.
        """
        return table_of(self)

    @classmethod
    def from_router_logits(
        cls,
        router_logits: Any,
        *,
        config: Any = None,
        k: int | None = None,
        tokens: Tokens | Seq[Tokens] | None = None,
        ids: Any = None,
        attention_mask: Any = None,
        text: int = 0,
        layers: Seq[int] | None = None,
        log_prob: Any = None,
        source: Source | None = None,
    ) -> Trace:
        """The trace of one text, from what transformers returns with ``output_router_logits=True``.

        ``router_logits``: one tensor per layer, [batch · tokens, N] or [batch, tokens, N]. ``config``: ``model.config``,
        which gives k, the layers with experts, and how weights follow from logits. Without it, give ``k``: the k largest
        logits are then assumed to be the choice, and no weights are written. ``tokens`` (``Tokens.of(tokenizer, text)``)
        or ``ids`` give the tokens. For a batch, ``ids`` is [batch, tokens], ``text`` says which text is wanted, and
        ``tokens`` are those of that text, with or without padding, or a list for all texts. Tokens with
        ``attention_mask`` 0 are left out as padding. Raises ``TraceError`` if these do not fit together.
        """
        decision = None if config is None else Decision.of(config)
        k = k if k is not None else (decision.k if decision else None)
        if k is None:
            raise TraceError("it is not known how many experts a token goes to: give config or k")
        given = None if ids is None else np.atleast_2d(as_array(ids))
        mask = None if attention_mask is None else np.atleast_2d(as_array(attention_mask)).astype(bool)
        score = np.stack([_rows(layer, given, text) for layer in router_logits]).astype(np.float32)
        known = None if mask is None else mask[text]
        if known is not None:
            score = score[:, known]
        if not 0 < k <= score.shape[2]:
            raise TraceError(f"{k} of {score.shape[2]} experts cannot be chosen")
        decided = decide(score, k, decision.renormalised if decision else None)
        row = None if given is None else given[text] if known is None else given[text][known]
        return cls.from_choices(
            decided.chosen,
            weight=decided.weight,
            score=decided.score,
            experts=int(score.shape[2]),
            tokens=_tokens(tokens, row, text, known),
            layers=layers if layers is not None or config is None else sparse_layers(config, len(score)),
            log_prob=None if log_prob is None else _unpadded(as_array(log_prob), known),
            router=Router(decision.name if decision else "unknown", k, "softmax" if decision else None),
            source=source
            or Source("transformers", str(getattr(config, "name_or_path", "") or "a model of transformers")),
        )

    @classmethod
    def from_choices(
        cls,
        chosen: Any,
        *,
        weight: Any = None,
        score: Any = None,
        selection: Any = None,
        experts: int | None = None,
        tokens: Tokens | None = None,
        layers: Seq[int] | None = None,
        log_prob: Any = None,
        router: Router | None = None,
        source: Source | None = None,
    ) -> Trace:
        """The trace of one text through a mixture of experts, in which each layer has its own experts.

        ``chosen``: [layers, tokens, k], best first, −1 if unknown. ``layers``: the layers' numbers; by default from 0.
        ``experts``: N, needed only without score and selection; by default the highest index in ``chosen`` + 1, but at
        least k. Raises ``TraceError`` if these do not fit together.
        """
        choices = as_array(chosen)
        if choices.ndim != 3:
            raise TraceError(f"chosen is {choices.shape}, not [layers, tokens, k]")
        S, T, k = choices.shape
        scores, selections = (None if one is None else as_array(one) for one in (score, selection))
        wide = scores if scores is not None else selections
        count = int(wide.shape[2]) if wide is not None else max(experts or 0, int(choices.max(initial=-1)) + 1, k)
        numbers = list(range(S)) if layers is None else list(layers)
        if len(numbers) != S:
            raise TraceError(f"there are {S} layers, but numbers of {len(numbers)}")
        if tokens is not None and len(tokens) != T:
            raise TraceError(f"there are {len(tokens)} tokens, but choices of {T}")
        known = Tokens() if tokens is None else tokens
        return cls(
            source=source or Source("file", "a notebook"),
            router=router or Router("unknown", k),
            sequences=[
                Sequence(
                    T,
                    text=known.text,
                    tokens=known.spelled,
                    ids=known.ids,
                    start=known.start,
                    end=known.end,
                    special=known.special,
                    log_prob=None if log_prob is None else as_array(log_prob),
                )
            ],
            expert_sets=[ExpertSet("layer", layer_experts(layer, count)) for layer in numbers],
            sites=[
                Site(f"model.layers.{layer}.mlp.gate", layer, "router", expert_set=i) for i, layer in enumerate(numbers)
            ],
            blocks=[
                Block(
                    0,
                    S,
                    choices,
                    weight=None if weight is None else as_array(weight),
                    score=scores,
                    selection=selections,
                )
            ]
            if S
            else [],
        )


def layer_experts(layer: int, count: int) -> list[Expert]:
    """The experts of one layer, named as in Gander, so that runs of one model from different programs can be compared."""
    return [Expert(f"{layer}.{e}", f"Layer {layer} expert {e}") for e in range(count)]


def _tokens(told: Tokens | Seq[Tokens] | None, ids: Array | None, text: int, known: Array | None) -> Tokens | None:
    """The given tokens of one text, with ``ids`` [T] added if they have none."""
    if told is not None and not isinstance(told, Tokens):
        if text >= len(told):
            raise TraceError(f"there are tokens of {len(told)} texts, but text number {text} is asked for")
        told = told[text]
    if told is None:
        return None if ids is None else Tokens(ids=ids)
    if told.ids is None and told.spelled is None:
        return replace(told, ids=ids)
    if known is not None and len(told) == len(known):
        told = told.kept(known)
    return told if told.ids is not None else replace(told, ids=ids)


def _unpadded(column: Array, known: Array | None) -> Array:
    return column[known] if known is not None and len(column) == len(known) else column


def _rows(layer: Any, ids: Array | None, text: int) -> Array:
    """[T, N] of one text of a batch."""
    logits = as_array(layer)
    if logits.ndim == 3:
        return np.asarray(logits[text])
    if logits.ndim != 2:
        raise TraceError(f"a router's logits are {logits.shape}, not [tokens, experts]")
    if ids is None or ids.shape[0] == 1:
        return logits
    return np.asarray(logits.reshape(*ids.shape, logits.shape[1])[text])
