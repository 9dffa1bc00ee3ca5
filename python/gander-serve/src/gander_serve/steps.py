"""Into which steps a text may be cut: tried on a few tokens, since not every model that takes its own past reads on from it."""

from __future__ import annotations

import logging
from enum import Enum, auto

import torch

from gander_serve.loading import Loaded
from gander_serve.together import is_alike, probe_of

log = logging.getLogger("gander_serve")

FIRST, NEXT = 5, 4
"""Tokens of the two chunks that are tried; then one more."""
RECURRENT = ("linear_attention",)
"""Kinds of layers that are called attention and keep no keys."""


class Steps(Enum):
    CHUNKS = auto()
    TOKENS = auto()
    """A text at once, and what is written token by token."""
    WHOLE = auto()
    """A text at once; nothing can be written behind it."""


def steps_of(loaded: Loaded) -> Steps:
    """What gives the same as one pass. In half precision, where other shapes round otherwise, that cannot be told from a
    fault: there only models of nothing but attention are cut.
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
        log.warning("%s is read at once, as it fails in parts: %s", loaded.name, error)
        return False
    return is_alike(torch.cat(told), whole)
