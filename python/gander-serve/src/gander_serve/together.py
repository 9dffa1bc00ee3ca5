"""Runs requests in one pass, with shorter ones padded at the end, so that each gets the same trace as alone.

Padding at the end leaves every token at its position. In a causal model it cannot affect the tokens before it; in an
encoder's input it is masked. ``pads_exactly`` tests whether that holds for a model.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from gander_serve.limits import REQUESTS
from gander_serve.loading import Loaded
from gander_serve.passage import Passage

log = logging.getLogger("gander_serve")

PROBE = (3, 8)
"""Lengths in tokens of the two test texts, which run alone and together."""
LEAK = 1e-3
"""Log-probabilities differ by less than this from float32 rounding alone, and by more if padding is not masked."""
BY_LENGTH = ("dynamic", "longrope")
"""Kinds of rotary positions that depend on the longest text in a pass."""


def most_together(loaded: Loaded, asked: int | None) -> int:
    """How many requests may run in one pass; 1 for a model whose results padding or batching changes.

    In half precision another shape rounds differently, and other experts are chosen, so it must be asked for.
    """
    if asked == 1 or loaded.is_stateful or _rotates_by_length(loaded.model.config.get_text_config()):
        return 1
    if loaded.model.dtype != torch.float32:
        return asked or 1
    return (asked or REQUESTS) if pads_exactly(loaded) else 1


def _rotates_by_length(config: Any) -> bool:
    rotary = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    # Some models have one for each kind of attention.
    kinds = [rotary, *(one for one in rotary.values() if isinstance(one, dict))]
    return any(one.get("rope_type", one.get("type")) in BY_LENGTH for one in kinds)


@torch.no_grad()
def pads_exactly(loaded: Loaded) -> bool:
    """Whether two texts of different lengths give the same in one pass as alone, except for float32 rounding."""
    texts = [probe_of(loaded, length) for length in PROBE]
    try:
        together = _logits(loaded, texts, [texts] if loaded.writes else [])
        alone = [_logits(loaded, [ids], [[ids]] if loaded.writes else [])[0] for ids in texts]
    except Exception as error:  # a model without a mask, for example: its own code may raise anything
        log.warning("%s runs each request alone, because two texts at once fail: %s", loaded.name, error)
        return False
    return all(is_alike(row[: len(own)], own) for row, own in zip(together, alone, strict=True))


def probe_of(loaded: Loaded, length: int) -> list[int]:
    """Arbitrary tokens for tests."""
    vocabulary = loaded.model.config.get_text_config().vocab_size
    return [(7 * i + 3 * length) % vocabulary for i in range(length)]


def is_alike(logits: Tensor, other: Tensor) -> bool:
    """Whether logits [T, V] are the same except for float32 rounding."""
    return bool(((logits.log_softmax(-1) - other.log_softmax(-1)).abs() < LEAK).all())


def packed(passages: Sequence[Passage], tokens: int) -> Iterator[list[Passage]]:
    """Splits requests into passes by length. A pass has at most ``tokens``, padding included, or only one request."""
    pack: list[Passage] = []
    for passage in sorted(passages, key=lambda one: one.total):
        if pack and (len(pack) + 1) * sum(_longest([*pack, passage])) > tokens:
            yield pack
            pack = []
        pack.append(passage)
    if pack:
        yield pack


def step(pack: Sequence[Passage]) -> None:
    """Runs all tokens of requests of one kind, without what-ifs, in one pass."""
    first, longest = pack[0], _longest(pack)
    spans = {sequence: (0, length) for sequence, length in enumerate(longest)}
    texts = [[one.texts[i].ids for one in pack] for i in range(len(longest))]
    with first.run.watching():
        first.run.expect(spans)
        loaded = first.model.loaded
        # The pass reads whole texts, so what comes before it leaves nothing for another.
        first.run.before(lambda _: _logits(loaded, texts[0], texts[1:]))
        logits = _logits(loaded, texts[0], texts[1:])
        seen = first.run.seen()
    for row, passage in enumerate(pack):
        columns = []
        for site, told in zip(first.run.frame.sites, seen, strict=True):
            begin = row * longest[site.sequence]
            end = begin + len(passage.texts[site.sequence])
            columns.append(None if told is None else {name: value[begin:end] for name, value in told.items()})
        passage.recorder.add(columns)
        ids = passage.last.ids
        passage.done = len(ids)
        passage.said.after(logits[row, : len(ids)].float(), ids[1:])


def _longest(pack: Sequence[Passage]) -> list[int]:
    """The length of the longest text, for each sequence."""
    return [max(len(one.texts[i]) for one in pack) for i in range(len(pack[0].texts))]


def _logits(loaded: Loaded, texts: Sequence[Sequence[int]], outputs: Sequence[Sequence[Sequence[int]]]) -> Tensor:
    """Logits [rows, longest, V] after each token of the texts, or of an encoder-decoder's given outputs."""
    model = loaded.model
    ids, mask = _padded(texts, model)
    given: dict[str, Any] = {"input_ids": ids, "attention_mask": mask}
    for written in outputs:
        given["decoder_input_ids"], given["decoder_attention_mask"] = _padded(written, model)
    logits: Tensor = model(**given, use_cache=False, return_dict=True).logits
    return logits


def _padded(rows: Sequence[Sequence[int]], model: Any) -> tuple[Tensor, Tensor]:
    """Tokens [rows, longest] and their mask. The padding may be any valid token; it repeats the row's last."""
    longest = max(len(row) for row in rows)
    ids = [[*row, *[row[-1]] * (longest - len(row))] for row in rows]
    mask = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
    return torch.tensor(ids, device=model.device), torch.tensor(mask, device=model.device)
