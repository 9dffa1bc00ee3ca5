"""PEFT's X-LoRA model on a base: opened with the checks that only PEFT itself allows, read in its own order.

PEFT loads the adapters of its configuration as 0, 1, …, and these names are the classifier's classes. The order of the
modules is that of the base's submodules, and in none of PEFT's files.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from gander_routing.errors import UserError
from gander_routing.files import read_json, stored_tensors
from torch import Tensor, nn

from gander_training.quiet import quiet

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
CLASSIFIER = "xlora"


def read_config(folder: Path) -> dict[str, Any]:
    """The classifier's configuration. Raises ``UserError`` for what PEFT ignores, or computes by chance."""
    from peft import XLoraConfig

    path = folder / CONFIG
    config = read_json(path)
    if not isinstance(config, dict) or config.get("peft_type") != "XLORA":
        raise UserError(f"{path}: not the configuration of an X-LoRA model")
    known = {field.name for field in dataclasses.fields(XLoraConfig)}
    if unknown := sorted(config.keys() - known):
        raise UserError(f"{path}: {unknown[0]} is not known, so what it changes is not, either")
    adapters = config.get("adapters") or {}
    names = [str(index) for index in range(len(adapters))]
    if not adapters or sorted(adapters) != sorted(names):
        raise UserError(f"{path}: its adapters are {sorted(adapters)}; PEFT applies only those named 0, 1, …")
    check_top_k(str(path), config.get("top_k_lora"), len(adapters), config.get("scaling_pass_value") or 0)
    return config


def check_top_k(where: str, top_k: int | None, adapters: int, pass_value: float) -> None:
    """Raises ``UserError`` for a k that PEFT does not take, or with which what it computes is chance."""
    if top_k is not None and not 1 <= top_k <= adapters:
        raise UserError(f"{where}: top_k_lora is {top_k}, for {adapters} adapters")
    if top_k is not None and top_k < adapters and pass_value:
        raise UserError(f"{where}: which of equal scalings top_k_lora keeps in the scaling pass is chance")


def open_xlora(where: Path, config: Any, adapters: Sequence[Path], model: nn.Module) -> Any:
    """PEFT's model for an ``XLoraConfig``, in eval mode. Changes ``model``; adapters and classifier get its data type.

    Raises ``UserError``, with ``where`` for a name, for what PEFT does not load.
    """
    from peft import get_peft_model

    config.adapters = {str(index): str(path) for index, path in enumerate(adapters)}
    model.config.use_cache = False  # type: ignore[union-attr]
    try:
        with quiet():
            peft: Any = get_peft_model(model, config)  # type: ignore[arg-type]
    except (ValueError, KeyError, RuntimeError) as error:
        raise UserError(f"{where}: PEFT does not load it: {str(error).strip().splitlines()[0]}") from None
    # X-LoRA does not pass on autocast_adapter_dtype, so its adapters are in float32.
    peft.base_model.lora_model.to(next(model.parameters()).dtype)
    return peft.eval()


def classifier_tensors(peft: Any) -> dict[str, Tensor]:
    """The classifier's tensors by the names in its file.

    PEFT 0.21's own ``save_pretrained`` leaves out every tensor with an adapter's name, such as ``.0.``, in its name,
    which is at least the classifier's first layer.
    """
    return {name: value for name, value in peft.state_dict().items() if "internal_xlora_classifier" in name}


def check_classifier(folder: Path, wanted: Mapping[str, Tensor]) -> None:
    """Compare the classifier's tensors with those that PEFT makes for its configuration."""
    file = folder / WEIGHTS
    if not file.is_file():
        raise UserError(f"{file}: no such file")
    tensors = stored_tensors(file)
    for name, tensor in wanted.items():
        if name not in tensors:
            raise UserError(
                f"{file}: has no {name}; save_pretrained of PEFT 0.21 leaves it out, because an adapter's name is in it. "
                "Save those entries of model.state_dict() that have internal_xlora_classifier in their names"
            )
        if tensors[name].shape != tensor.shape:
            raise UserError(f"{file}: {name} is {list(tensors[name].shape)}, not {list(tensor.shape)}")
    if unknown := sorted(tensors.keys() - wanted.keys()):
        raise UserError(f"{file}: {unknown[0]} is no part of such a classifier")


def scaled_modules(where: Path, peft: Any) -> list[str]:
    """The paths in the base of the modules that PEFT scales, in its order. Raises ``UserError`` if one is not linear."""
    from peft.tuners import lora
    from peft.tuners.lora.layer import LoraLayer

    layers = {
        name: layer for name, layer in peft.base_model.lora_model.model.named_modules() if isinstance(layer, LoraLayer)
    }
    if other := [name for name, layer in layers.items() if not isinstance(layer, lora.Linear)]:
        raise UserError(f"{where}: {other[0]} is not a linear layer, and its scalings are not supported")
    return list(layers)


@torch.no_grad()
def check_reads_head(where: Path, peft: Any) -> None:
    """Raises ``UserError`` unless the classifier reads what the head reads, which is what Gander gives it."""
    seen: list[Tensor] = []
    classifier = peft.base_model.internal_xlora_classifier.layers[0]
    with contextlib.ExitStack() as stack:
        for reader in (classifier, peft.get_output_embeddings()):
            handle = reader.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
            stack.callback(handle.remove)
        peft(input_ids=torch.arange(8)[None])
    # In order: what the head reads in the first pass, the classifier, and the head again.
    if seen[0].shape != seen[1].shape or not torch.equal(seen[0], seen[1]):
        raise UserError(f"{where}: in this model the classifier does not read what the head reads")


def modules_of(folder: Path, adapters: Sequence[Path], model: nn.Module) -> list[str]:
    """The modules that PEFT scales, in its order, after the checks that only the model itself allows. Changes ``model``."""
    from peft import XLoraConfig

    peft = open_xlora(folder, XLoraConfig.from_pretrained(str(folder)), adapters, model)
    check_classifier(folder, classifier_tensors(peft))
    modules = scaled_modules(folder, peft)
    check_reads_head(folder, peft)
    return modules


def check_entry(pool: Path, manifest: Mapping[str, Any], model: nn.Module) -> list[str]:
    """The ids of a classifier's experts, after checking the classifier that ``pool.json`` names. Changes ``model``."""
    entry = manifest["xlora"]
    folder = pool / entry["classifier"]
    config, ids = read_config(folder), list(entry["experts"])
    if len(config["adapters"]) != len(ids):
        raise UserError(f"{folder / CONFIG}: has {len(config['adapters'])} adapters, and pool.json names {len(ids)}")
    if modules_of(folder, [pool / manifest["experts"] / identifier for identifier in ids], model) != entry["modules"]:
        raise UserError(f"{pool / 'pool.json'}: xlora.modules are not the modules that PEFT scales, in its order")
    return ids
