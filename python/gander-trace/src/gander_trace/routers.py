"""How routers choose: what logits tell of it, by model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gander_trace.columns import Array
from gander_trace.errors import TraceError

# What is known of models' configurations; the extension's importer (src/import/model.ts) reads the same file.
KNOWN: Mapping[str, Any] = json.loads(Path(__file__).with_name("routers.json").read_text(encoding="utf-8"))

# Those that take the k largest logits: whether a weight is a share of the chosen (or, not renormalised, of all); a name is that
# of the configuration's own field which says it.
RENORMALISED: Mapping[str, bool | str] = KNOWN["renormalised"]


@dataclass(frozen=True)
class Decision:
    """What a configuration of transformers says of a model's routers."""

    name: str
    k: int
    renormalised: bool

    @classmethod
    def of(cls, config: Any) -> Decision:
        name = str(config.model_type)
        if name not in RENORMALISED:
            raise TraceError(
                f"what a model of type {name!r} chose does not follow from its logits: give what it chose to Trace.from_choices"
            )
        k = next((getattr(config, key) for key in KNOWN["counts"]["k"] if hasattr(config, key)), None)
        if k is None:
            raise TraceError("the configuration does not say how many experts a token goes to: give k")
        said = RENORMALISED[name]
        return cls(name, int(k), bool(getattr(config, said)) if isinstance(said, str) else said)


def sparse_layers(config: Any, layers: int) -> list[int]:
    """Numbers of the layers with experts, of which there are ``layers``; counted from 0 where the configuration has other ones."""
    total = int(getattr(config, "num_hidden_layers", layers))
    dense = set(getattr(config, "mlp_only_layers", None) or [])
    step = int(getattr(config, "decoder_sparse_step", 1) or 1)
    sparse = [layer for layer in range(total) if layer not in dense and (layer + 1) % step == 0]
    return sparse if len(sparse) == layers else list(range(layers))


@dataclass(frozen=True)
class Decided:
    """[…, k] chosen and weight, [..., N] score; ``None`` where it is not known."""

    chosen: Array
    weight: Array | None
    score: Array | None


# Far apart from logits: rows of probabilities add up to 1, as far as bfloat16 does.
NEAR = 0.01


def decide(given: Array, k: int, renormalised: bool | None) -> Decided:
    """What routers chose, from what transformers calls their logits: the k largest, of two that are equal the lower index.

    Its versions differ: some models give probabilities there, or the weights of the chosen among zeros. ``renormalised``:
    whether a weight is a share of the chosen, or else of all; ``None``: weights do not follow.
    """
    if np.isnan(given).any() or not np.isfinite(given.max(-1, initial=0)).all():
        raise TraceError("some of the logits are no numbers")
    chosen = np.argsort(-given, axis=-1, kind="stable")[..., :k].astype(np.int16)
    if given.size and (given >= 0).all() and (np.abs(given.sum(-1) - 1) < NEAR).all():
        if k < given.shape[-1] and ((given != 0).sum(-1) <= k).all():
            weight = np.take_along_axis(given, chosen.astype(np.int64), -1)
            return Decided(np.where(weight > 0, chosen, -1), weight, None)
        with np.errstate(divide="ignore"):
            # Their softmax is what they are.
            given = np.log(given)
    return Decided(chosen, None if renormalised is None else shares(given, chosen, renormalised), given)


def shares(score: Array, chosen: Array, of_chosen: bool) -> Array:
    """[…, k] softmax over the chosen, or over all."""
    exp = np.exp(score.astype(np.float64) - score.max(-1, keepdims=True, initial=-np.inf))
    known = np.take_along_axis(exp, chosen.astype(np.int64), -1)
    return np.asarray(known / (known if of_chosen else exp).sum(-1, keepdims=True), np.float32)
