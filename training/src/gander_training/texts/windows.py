"""Documents as windows of tokens, and a model's loss on them."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from gander_routing.errors import UserError
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase


def read_texts(path: Path) -> list[str]:
    """The ``text`` of each line of a jsonl file, without empty ones."""
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    texts = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            text = json.loads(line)["text"]
        except (json.JSONDecodeError, KeyError, TypeError):
            raise UserError(f'{path}:{number}: expected one JSON object with a "text"') from None
        if not isinstance(text, str):
            raise UserError(f'{path}:{number}: "text" is not a string')
        if text:
            texts.append(text)
    if not texts:
        raise UserError(f"{path}: holds no text")
    return texts


def separator(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The ids that open a document: those that the tokenizer adds, otherwise its bos or eos, otherwise none."""
    added = tokenizer.build_inputs_with_special_tokens([]) if not tokenizer.is_fast else tokenizer("").input_ids
    if added:
        return list(added[:1])
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if token is not None:
            return [token]
    return []


def pack(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], length: int, seed: int) -> Tensor:
    """Shuffle documents and join them, each after a separator, into windows: [windows, length] ids."""
    order = list(texts)
    random.Random(seed).shuffle(order)
    lead = separator(tokenizer)
    ids: list[int] = []
    for text in order:
        ids += lead + tokenizer(text, add_special_tokens=False).input_ids
    count = len(ids) // length
    if count == 0:
        raise UserError(f"the data holds {len(ids)} tokens, fewer than one window of {length}")
    return torch.tensor(ids[: count * length]).view(count, length)


@dataclass(frozen=True)
class Sample:
    """Windows of held-out text: ``ids`` [n, length], and the UTF-8 bytes that the predicted tokens cover."""

    ids: Tensor
    size: int


def second_half(text: str) -> str:
    """The text after the first line end past the middle, to skip licence headers and imports."""
    return text[text.find("\n", len(text) // 2) + 1 :]


def sample(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], count: int, length: int) -> Sample:
    """The first ``length`` tokens of up to ``count`` documents spread evenly over ``texts``."""
    lead = separator(tokenizer)
    rows, size = [], 0
    for text in texts:
        # 12 characters per token is more than any text here needs, and avoids tokenizing whole files.
        encoded = tokenizer(text[: 12 * length], add_special_tokens=False, return_offsets_mapping=True)
        kept = length - len(lead)
        if len(encoded.input_ids) < kept:
            continue
        rows.append((lead + encoded.input_ids[:kept], encoded.offset_mapping, text, kept))
    if not rows:
        raise UserError(f"no document is as long as {length} tokens")
    chosen = [rows[i * len(rows) // count] for i in range(count)] if len(rows) > count else rows
    for _, offsets, text, kept in chosen:
        first = 0 if lead else 1
        size += len(text[offsets[first][0] : offsets[kept - 1][1]].encode())
    return Sample(torch.tensor([row[0] for row in chosen]), size)


@torch.no_grad()
def nats(model: nn.Module, ids: Tensor, batch: int = 4) -> Tensor:
    """Negative log-probability of every token but the first of each window: [n, length - 1], float32."""
    rows = []
    for part in ids.split(batch):
        logits = model(input_ids=part, use_cache=False).logits[:, :-1].float()
        # Flattened, because a vocabulary axis in the middle is several times slower.
        flat = nn.functional.cross_entropy(logits.flatten(0, 1), part[:, 1:].flatten(), reduction="none")
        rows.append(flat.view(part.shape[0], -1))
    return torch.cat(rows)


@dataclass(frozen=True)
class Score:
    """``loss`` in nats per token; ``bits`` per UTF-8 byte, comparable across tokenizers."""

    loss: float
    bits: float


def score(model: nn.Module, data: Sample) -> Score:
    """The model's loss on held-out windows."""
    each = nats(model, data.ids)
    return Score(float(each.mean()), float(each.sum()) / math.log(2) / data.size)
