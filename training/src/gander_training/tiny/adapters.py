"""Random LoRA adapters for the tiny mixtures, saved by PEFT, and what PEFT computes with them beside the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gander_training.quiet import quiet
from gander_training.tiny.mixtures import load_moe

RANK, ALPHA, SIZE = 4, 8, 0.15
DRAW = 3  # a seed with which no two router logits of the tests' texts are near enough to change places
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
FUSED = ["experts.gate_up_proj", "experts.down_proj"]


def write_adapter(base: Path, folder: Path, **options: Any) -> None:
    """Save an adapter for a mixture's folder, with random numbers in all that was trained; ``options``: LoraConfig's."""
    from peft import LoraConfig, get_peft_model

    # PEFT draws A itself.
    with quiet(), torch.random.fork_rng():
        torch.manual_seed(DRAW)
        peft: Any = get_peft_model(
            load_moe(base), LoraConfig(**{"task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": ALPHA, **options})
        )
    generator = torch.Generator().manual_seed(DRAW)
    with torch.no_grad():
        for parameter in (value for value in peft.parameters() if value.requires_grad):
            parameter += SIZE * torch.randn(parameter.shape, generator=generator)
    with quiet():
        peft.save_pretrained(folder)


def beside(base: Path, adapter: Path) -> Any:
    """The mixture with the adapter as PEFT loads it: not merged."""
    from peft import PeftModel

    with quiet():
        return PeftModel.from_pretrained(load_moe(base), str(adapter)).eval()


def per_expert(base: Path, names: tuple[str, str, str], where: str) -> dict[str, Tensor]:
    """Weights of an adapter as PEFT saved them with transformers 4, where each expert is three linear layers.

    ``names``: of gate, up and down; ``where``: the path from a layer to the experts.
    """
    generator = torch.Generator().manual_seed(DRAW)
    result: dict[str, Tensor] = {}
    for name, value in load_moe(base).state_dict().items():
        if not name.endswith("experts.down_proj"):
            continue
        layer = name.split(".")[2]
        count, hidden, width = value.shape
        for expert in range(count):
            for own, (rows, columns) in zip(names, [(width, hidden)] * 2 + [(hidden, width)], strict=True):
                path = f"base_model.model.model.layers.{layer}.{where}.{expert}.{own}"
                result[f"{path}.lora_A.weight"] = SIZE * torch.randn(RANK, columns, generator=generator)
                result[f"{path}.lora_B.weight"] = SIZE * torch.randn(rows, RANK, generator=generator)
    return result
