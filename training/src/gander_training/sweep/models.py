"""Writes the tiny models of the sweep as Hugging Face folders, and loads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gander_training.quiet import quiet
from gander_training.sweep.families import Family, tiny
from gander_training.tiny.mixtures import write_tokenizer
from gander_training.tiny.numbers import normal
from gander_training.tiny.pool import SEED

# A text that is longer than a chunk, a sliding window of the tiny models and a block of a state space.
TEXT = "def route(tokens):\n\treturn [expert for expert in experts if expert.knows(tokens)]\n"
HIDDEN = 32


def auto_of(kind: str) -> Any:
    """The class that loads a type: a causal model, or one that can also read pictures."""
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoModelForSeq2SeqLM
    from transformers.models.auto import modeling_auto as auto

    if kind in auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return AutoModelForCausalLM
    if kind in auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        return AutoModelForImageTextToText
    return AutoModelForSeq2SeqLM


def numbers(name: str, tensor: Tensor, rng: np.random.Generator) -> Tensor:
    """Random weights of a size that keeps activations near 1 and makes every part of a router visible."""
    if name.endswith("tid2eid"):  # the experts of each token, which must differ
        rows, chosen = tensor.shape
        experts = int(tensor.max()) + 1 if tensor.max() > 0 else 8
        return torch.from_numpy(np.stack([rng.permutation(experts)[:chosen] for _ in range(rows)])).to(tensor.dtype)
    if not tensor.is_floating_point():
        return tensor
    if "norm" in name and tensor.dim() == 1:
        drawn = 1 + normal(rng, *tensor.shape, std=0.1)
    elif tensor.dim() < 2:
        drawn = normal(rng, *tensor.shape, std=0.2)
    elif "embed_tokens" in name:
        drawn = normal(rng, *tensor.shape, std=1.0)
    elif name.endswith(("gate.weight", "router.weight")):
        drawn = normal(rng, *tensor.shape, std=2 * HIDDEN**-0.5)
    else:
        drawn = normal(rng, *tensor.shape, std=tensor.shape[-1] ** -0.5)
    return drawn.to(tensor.dtype)


def write_model(family: Family, folder: Path) -> None:
    """Write a random model with a tokenizer; buffers that are stored, such as a router's bias, are random, too."""
    assert family.loaded
    torch.manual_seed(0)
    model = auto_of(family.loaded).from_config(tiny(family.loaded)).float().eval()
    rng = np.random.default_rng([SEED, 0])
    with torch.no_grad():
        for name, tensor in sorted(model.state_dict().items()):
            tensor.copy_(numbers(name, tensor, rng))
    with quiet():
        model.save_pretrained(folder)
    write_tokenizer(folder)


def load(folder: Path) -> Any:
    """The model in float32, in eval mode."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder)
    with quiet():
        return auto_of(config.model_type).from_pretrained(folder, dtype=torch.float32).eval()


def ids_of(folder: Path) -> list[int]:
    """The text's tokens."""
    from tokenizers import Tokenizer

    ids: list[int] = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(TEXT).ids
    return ids
