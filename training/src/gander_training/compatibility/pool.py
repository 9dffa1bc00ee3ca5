"""An architecture's pool: experts saved by PEFT, random gates, and a text."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from gander_training.compatibility.architectures import Architecture, seed_of
from gander_training.files import write_json
from gander_training.quiet import quiet
from gander_training.tiny.numbers import normal
from gander_training.tiny.pool import CORPUS, END_OF_TEXT, build_tokenizer

# Longer than one chunk of the engine, so that keys and values are carried over.
TEXT = CORPUS * 2

EXPERTS: dict[str, dict[str, Any]] = {
    "first": {"r": 4, "lora_alpha": 8},
    "second": {"r": 2, "lora_alpha": 4, "use_rslora": True},
    "third": {"r": 4, "lora_alpha": 4, "exclude_modules": r".*\.0\..*"},
}


def write_source(model: Any, folder: Path) -> None:
    """The Hugging Face folder that exporters read."""
    from transformers import PreTrainedTokenizerFast

    model.save_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=build_tokenizer(), bos_token=END_OF_TEXT, eos_token=END_OF_TEXT
    )
    tokenizer.save_pretrained(folder)


def write_experts(architecture: Architecture, model: Any, folder: Path) -> None:
    """Write one folder per expert, with the adapter as PEFT's ``save_pretrained`` writes it."""
    for index, (name, options) in enumerate(EXPERTS.items()):
        write_expert(architecture, model, folder / name, index, options)


def write_expert(architecture: Architecture, model: Any, folder: Path, index: int, options: dict[str, Any]) -> None:
    """Write an adapter with random weights, and a gate for each module."""
    from peft import LoraConfig, TaskType, get_peft_model

    adapted = architecture.adapted if isinstance(architecture.adapted, str) else list(architecture.adapted)
    with quiet():
        task = TaskType.SEQ_2_SEQ_LM if model.config.is_encoder_decoder else TaskType.CAUSAL_LM
        config = LoraConfig(task_type=task, target_modules=adapted, **options)
        peft = get_peft_model(copy.deepcopy(model), config)
    rng = seed_of(architecture, 1, index)
    gates = {}
    with torch.no_grad():
        for name, parameter in sorted(peft.named_parameters()):
            if ".lora_A." in name:
                parameter.copy_(normal(rng, *parameter.shape, std=parameter.shape[1] ** -0.5))
                path = name.removeprefix("base_model.model.").partition(".lora_A.")[0]
                gates[path] = normal(rng, parameter.shape[1])
            elif ".lora_B." in name:
                parameter.copy_(normal(rng, *parameter.shape, std=0.3 * parameter.shape[1] ** -0.5))
    peft.save_pretrained(str(folder))
    save_file(gates, folder / "gate.safetensors")


def write_manifest(architecture: Architecture, folder: Path, model: str | dict[str, str] = "base/model.onnx") -> None:
    """Write ``pool.json``; ``model`` is the base's file, or its files by part."""
    files = {"model": model, "tokenizer": "base/tokenizer.json", "config": "base/config.json"}
    write_json(
        folder / "pool.json",
        {
            "format": "gander-pool",
            "version": 1,
            "id": architecture.name,
            "name": architecture.name,
            "base": {"name": architecture.name, **files},
            "experts": "experts",
            "topK": 2,
        },
    )


def adapted_modules(folder: Path) -> int:
    """How many modules at least one expert of the pool adapts."""
    files = folder.glob("experts/*/gate.safetensors")
    return len({path for file in files for path in load_file(file)})
