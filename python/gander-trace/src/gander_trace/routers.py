"""How routers choose, by model: what follows from their logits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gander_trace.columns import Array
from gander_trace.errors import TraceError

# Facts about models' configurations; the extension's importer (src/import/model.ts) reads the same file.
KNOWN: Mapping[str, Any] = json.loads(Path(__file__).with_name("routers.json").read_text(encoding="utf-8"))

# Models whose routers take the k largest logits. True: the weights of the chosen experts are renormalised; False: softmax
# over all experts. A string names the field of the configuration that says which.
RENORMALISED: Mapping[str, bool | str] = KNOWN["renormalised"]


@dataclass(frozen=True)
class Decision:
    """What a transformers configuration says about a model's routers."""

    name: str
    k: int
    renormalised: bool

    @classmethod
    def of(cls, config: Any) -> Decision:
        name = str(config.model_type)
        if name not in RENORMALISED:
            raise TraceError(
                f"the choices of a model of type {name!r} do not follow from its logits: pass them to Trace.from_choices"
            )
        k = next((getattr(config, key) for key in KNOWN["counts"]["k"] if hasattr(config, key)), None)
        if k is None:
            raise TraceError("the configuration does not say how many experts a token goes to: give k")
        said = RENORMALISED[name]
        return cls(name, int(k), bool(getattr(config, said)) if isinstance(said, str) else said)


def sparse_layers(config: Any, layers: int) -> list[int]:
    """Numbers of the ``layers`` layers that have experts; from 0 if the configuration gives a different number of them."""
    total = int(getattr(config, "num_hidden_layers", layers))
    dense = set(getattr(config, "mlp_only_layers", None) or [])
    step = int(getattr(config, "decoder_sparse_step", 1) or 1)
    sparse = [layer for layer in range(total) if layer not in dense and (layer + 1) % step == 0]
    return sparse if len(sparse) == layers else list(range(layers))


@dataclass(frozen=True)
class Decided:
    """``chosen`` and ``weight`` [..., k], ``score`` [..., N]; ``None`` if unknown."""

    chosen: Array
    weight: Array | None
    score: Array | None


# Tells probabilities from logits: their rows add up to 1, with the precision of bfloat16.
NEAR = 0.01


def decide(given: Array, k: int, renormalised: bool | None) -> Decided:
    """The routers' choices, from what transformers returns as router logits: the k largest; among equals, the lower index.

    In some versions and models these are probabilities, or the weights of the chosen experts with zeros elsewhere.
    ``renormalised``: softmax over the chosen experts (true) or over all (false); ``None``: weights are unknown.
    Raises ``TraceError`` for NaN or infinite logits.
    """
    if np.isnan(given).any() or not np.isfinite(given.max(-1, initial=0)).all():
        raise TraceError("some of the logits are NaN or infinite")
    chosen = np.argsort(-given, axis=-1, kind="stable")[..., :k].astype(np.int16)
    if given.size and (given >= 0).all() and (np.abs(given.sum(-1) - 1) < NEAR).all():
        if k < given.shape[-1] and ((given != 0).sum(-1) <= k).all():
            weight = np.take_along_axis(given, chosen.astype(np.int64), -1)
            return Decided(np.where(weight > 0, chosen, -1), weight, None)
        with np.errstate(divide="ignore"):
            # The softmax of these logarithms gives the probabilities back.
            given = np.log(given)
    return Decided(chosen, None if renormalised is None else shares(given, chosen, renormalised), given)


def shares(score: Array, chosen: Array, of_chosen: bool) -> Array:
    """[..., k] softmax over the chosen experts, or over all."""
    exp = np.exp(score.astype(np.float64) - score.max(-1, keepdims=True, initial=-np.inf))
    known = np.take_along_axis(exp, chosen.astype(np.int64), -1)
    return np.asarray(known / (known if of_chosen else exp).sum(-1, keepdims=True), np.float32)
