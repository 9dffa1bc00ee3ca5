"""Tests on a few tokens in which steps a model can read a text: not every model continues correctly from its past."""

from __future__ import annotations

import logging
from enum import Enum, auto

import torch

from gander_serve.loading import Loaded
from gander_serve.together import is_alike, probe_of

log = logging.getLogger("gander_serve")

FIRST, NEXT = 5, 4
"""Tokens in the two chunks of the test; one more token follows."""
RECURRENT = ("linear_attention",)
"""Kinds of layers that are called attention but keep no keys."""


class Steps(Enum):
    CHUNKS = auto()
    TOKENS = auto()
    """The text in one go; generated tokens one by one."""
    WHOLE = auto()
    """The text in one go; no tokens can be generated."""


def steps_of(loaded: Loaded) -> Steps:
    """The finest steps that give the same as one pass.

    In half precision, rounding depends on shapes and would hide a fault, so only pure attention models run in chunks.
    """
    if loaded.writes:
        return Steps.CHUNKS
    if loaded.model.dtype != torch.float32:
        kinds = getattr(loaded.model.config.get_text_config(), "layer_types", None) or []
        is_plain = not loaded.is_stateful and all(
            kind.endswith("attention") and kind not in RECURRENT for kind in kinds
        )
        return Steps.CHUNKS if is_plain else Steps.TOKENS
    if not loaded.is_stateful and _reads_on(loaded, [FIRST, NEXT, 1]):
        return Steps.CHUNKS
    return Steps.TOKENS if _reads_on(loaded, [FIRST + NEXT, 1]) else Steps.WHOLE


@torch.no_grad()
def _reads_on(loaded: Loaded, parts: list[int]) -> bool:
    ids = torch.tensor([probe_of(loaded, sum(parts))], device=loaded.model.device)
    past, done, told = None, 0, []
    try:
        whole = loaded.model(input_ids=ids, use_cache=False, return_dict=True).logits[0]
        for part in torch.split(ids, parts, dim=1):
            logits, past = loaded.step({"input_ids": part}, done, past)
            told.append(logits[0])
            done += part.shape[1]
    except (TypeError, ValueError, RuntimeError, AttributeError, IndexError) as error:
        log.warning("%s reads texts in one go, because reading in parts fails: %s", loaded.name, error)
        return False
    return is_alike(torch.cat(told), whole)
