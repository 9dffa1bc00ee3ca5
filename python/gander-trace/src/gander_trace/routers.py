"""How routers choose: what logits tell of it, by model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gander_trace.columns import Array
from gander_trace.errors import TraceError

# Those that take the k largest logits: whether a weight is a share of the chosen (or, not renormalised, of all).
RENORMALISED: Mapping[str, Callable[[Any], bool]] = {
    "mixtral": lambda _: True,
    "gpt_oss": lambda _: True,
    "granitemoe": lambda _: True,
    "olmoe": lambda config: bool(config.norm_topk_prob),
    "qwen2_moe": lambda config: bool(config.norm_topk_prob),
    "qwen3_moe": lambda config: bool(config.norm_topk_prob),
}


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
        k = next(
            (getattr(config, key) for key in ("num_experts_per_tok", "experts_per_token") if hasattr(config, key)), None
        )
        if k is None:
            raise TraceError("the configuration does not say how many experts a token goes to: give k")
        return cls(name, int(k), RENORMALISED[name](config))


def sparse_layers(config: Any, layers: int) -> list[int]:
    """Numbers of the layers with experts, of which there are ``layers``; counted from 0 where the configuration has other ones."""
    total = int(getattr(config, "num_hidden_layers", layers))
    dense = set(getattr(config, "mlp_only_layers", None) or [])
    step = int(getattr(config, "decoder_sparse_step", 1) or 1)
    sparse = [layer for layer in range(total) if layer not in dense and (layer + 1) % step == 0]
    return sparse if len(sparse) == layers else list(range(layers))


def largest(score: Array, k: int) -> Array:
    """[…, k] the k largest of each row, best first; of two that are equal the lower index."""
    return np.argsort(-score, axis=-1, kind="stable")[..., :k].astype(np.int16)


def weights(score: Array, chosen: Array, renormalised: bool) -> Array:
    """[…, k] softmax over the chosen, or over all."""
    shifted = np.exp(score.astype(np.float64) - score.max(-1, keepdims=True))
    of_chosen = np.take_along_axis(shifted, chosen.astype(np.int64), -1)
    total = of_chosen.sum(-1, keepdims=True) if renormalised else shifted.sum(-1, keepdims=True)
    return np.asarray(of_chosen / total, np.float32)
