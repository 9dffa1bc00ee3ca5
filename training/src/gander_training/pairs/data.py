"""Pairs of an input and a target: reading, tokens, batches, and a model's loss on them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from gander_routing.errors import UserError
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerBase

from gander_training.texts.windows import Score

IGNORED = -100  # transformers' value for a label that does not count


@dataclass(frozen=True)
class Pair:
    """One example."""

    input: str
    target: str


def read_pairs(path: Path) -> list[Pair]:
    """The ``input`` and ``target`` of each line of a jsonl file; empty targets are skipped, as they teach nothing."""
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    pairs = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            given = json.loads(line)
            pair = Pair(given["input"], given["target"])
        except (json.JSONDecodeError, KeyError, TypeError):
            raise UserError(f'{path}:{number}: expected one JSON object with an "input" and a "target"') from None
        if not isinstance(pair.input, str) or not isinstance(pair.target, str):
            raise UserError(f'{path}:{number}: "input" or "target" is not a string')
        if pair.target:
            pairs.append(pair)
    if not pairs:
        raise UserError(f"{path}: holds no pair")
    return pairs


@dataclass(frozen=True)
class Pairs:
    """Examples as ids, truncated, with the tokenizer's end token; ``size`` is the targets' in UTF-8 bytes."""

    inputs: list[Tensor]
    targets: list[Tensor]
    pad: int
    size: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Pair], length: int) -> Pairs:
        """Tokenize pairs, with at most ``length`` tokens for each input and each target."""
        how = {"truncation": True, "max_length": length}
        inputs = tokenizer([pair.input for pair in pairs], **how).input_ids
        targets = tokenizer(text_target=[pair.target for pair in pairs], **how).input_ids
        return cls(
            [torch.tensor(ids, dtype=torch.long) for ids in inputs],
            [torch.tensor(ids, dtype=torch.long) for ids in targets],
            tokenizer.pad_token_id or 0,
            sum(len(pair.target.encode()) for pair in pairs),
        )

    def batch(self, rows: Tensor) -> dict[str, Tensor]:
        """The model's inputs for examples ``rows`` [n], padded; padding in the labels does not count."""
        inputs = [self.inputs[row] for row in rows.flatten().tolist()]
        targets = [self.targets[row] for row in rows.flatten().tolist()]
        return {
            "input_ids": pad_sequence(inputs, batch_first=True, padding_value=self.pad),
            "attention_mask": pad_sequence([torch.ones_like(ids) for ids in inputs], batch_first=True),
            "labels": pad_sequence(targets, batch_first=True, padding_value=IGNORED),
        }


@torch.no_grad()
def score_pairs(model: nn.Module, pairs: Pairs, part: int) -> Score:
    """The model's loss on the targets, in nats per token and bits per byte."""
    nats, tokens = 0.0, 0
    for rows in torch.arange(len(pairs.targets)).split(part):
        inputs = pairs.batch(rows)
        count = int((inputs["labels"] != IGNORED).sum())
        nats += float(model(**inputs, use_cache=False).loss) * count
        tokens += count
    return Score(nats / tokens, nats / math.log(2) / pairs.size)
