"""Imports an X-LoRA model of PEFT (``XLoraModel``) as a pool: base, adapters and classifier, the last two unmodified.

PEFT loads the adapters of its configuration as 0, 1, …, and these names are the classifier's classes. The order of the
modules is that of the base's submodules; it is nowhere in the files, so PEFT itself is asked, and the pool says it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from gander_routing.errors import UserError
from gander_routing.files import read_json, stored_tensors
from torch import Tensor, nn

from gander_training.bases.export import export_base
from gander_training.bases.source import load_source
from gander_training.files import whole_folder
from gander_training.pools.pool import check_expert, create_pool
from gander_training.quiet import quiet

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
ADAPTER_FILES = (CONFIG, WEIGHTS, "README.md")
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
    top_k = config.get("top_k_lora")
    if top_k is not None and not 1 <= top_k <= len(adapters):
        raise UserError(f"{path}: top_k_lora is {top_k}, for {len(adapters)} adapters")
    if top_k is not None and top_k < len(adapters) and config.get("scaling_pass_value"):
        raise UserError(f"{path}: which of equal scalings top_k_lora keeps in the scaling pass is chance")
    return config


def adapters_of(folder: Path, config: Mapping[str, Any], given: Mapping[str, Path]) -> list[Path]:
    """The adapters' folders, in the order of the classes: ``given``, or where they were when it was trained."""
    if unknown := given.keys() - config["adapters"].keys():
        raise UserError(f"there is no adapter {min(unknown)}, only {', '.join(sorted(config['adapters']))}")
    found = []
    for index in range(len(config["adapters"])):
        name = str(index)
        told = Path(config["adapters"][name])
        places = [given[name]] if name in given else [told, folder / told]
        place = next((place for place in places if (place / WEIGHTS).is_file()), None)
        if place is None:
            raise UserError(f"{places[0]}: no adapter {name} there (say where it is: --adapter {name}=FOLDER)")
        if any(".lora_model." in key for key in stored_tensors(place / WEIGHTS)):
            raise UserError(
                f"{place}: holds parts of the whole model, as PEFT's save_pretrained leaves beside a classifier; "
                f"name the adapter as it was before (--adapter {name}=FOLDER)"
            )
        found.append(place)
    return found


def ids_of(adapters: Sequence[Path]) -> list[str]:
    """The names of the folders, with the index before them if two are the same."""
    names = [path.resolve().name for path in adapters]
    return names if len(set(names)) == len(names) else [f"{index}-{name}" for index, name in enumerate(names)]


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


@torch.no_grad()
def modules_of(folder: Path, adapters: Sequence[Path], model: nn.Module) -> list[str]:
    """The modules that PEFT scales, in its order, after the checks that only the model itself allows. Changes ``model``."""
    from peft import XLoraConfig, get_peft_model
    from peft.tuners import lora
    from peft.tuners.lora.layer import LoraLayer

    config = XLoraConfig.from_pretrained(str(folder))
    config.adapters = {str(index): str(path) for index, path in enumerate(adapters)}
    model.config.use_cache = False  # type: ignore[union-attr]
    try:
        with quiet():
            peft: Any = get_peft_model(model, config).eval()  # type: ignore[arg-type]
    except (ValueError, KeyError, RuntimeError) as error:
        raise UserError(f"{folder}: PEFT does not load it: {str(error).strip().splitlines()[0]}") from None
    wanted = {name: value for name, value in peft.state_dict().items() if "internal_xlora_classifier" in name}
    check_classifier(folder, wanted)
    layers = {
        name: layer for name, layer in peft.base_model.lora_model.model.named_modules() if isinstance(layer, LoraLayer)
    }
    if other := [name for name, layer in layers.items() if not isinstance(layer, lora.Linear)]:
        raise UserError(f"{folder}: {other[0]} is not a linear layer, and its scalings are not supported")
    seen: list[Tensor] = []
    classifier = peft.base_model.internal_xlora_classifier.layers[0]
    with contextlib.ExitStack() as stack:
        for reader in (classifier, peft.get_output_embeddings()):
            handle = reader.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
            stack.callback(handle.remove)
        peft(input_ids=torch.arange(8)[None])
    # In order: what the head reads in the first pass, the classifier, and the head again.
    if seen[0].shape != seen[1].shape or not torch.equal(seen[0], seen[1]):
        raise UserError(f"{folder}: in this model the classifier does not read what the head reads")
    return list(layers)


def import_xlora(
    folder: Path,
    base: Path,
    pool: Path,
    *,
    given: Mapping[str, Path] | None = None,
    title: str | None = None,
    license: str = "not stated",
) -> list[str]:
    """Write a pool; returns its experts' ids, by class. All checks happen before anything is written."""
    if (pool / "pool.json").exists():
        raise UserError(f"{pool}: is a pool already")
    config = read_config(folder)
    adapters = adapters_of(folder, config, given or {})
    ids = ids_of(adapters)
    for adapter in adapters:
        check_expert(adapter, load_source(base)[0])
    modules = modules_of(folder, adapters, load_source(base)[0])
    with whole_folder(pool) as made:
        export_base(base, made / "base", options=None)
        for identifier, adapter in zip(ids, adapters, strict=True):
            copy(adapter, made / "experts" / identifier)
        copy(folder, made / CLASSIFIER)
        own, base_name = pool.resolve().name, base.resolve().name
        description = f"An X-LoRA model of PEFT: {len(ids)} adapters, and a classifier that scales them."
        entry = {"classifier": CLASSIFIER, "experts": ids, "modules": modules}
        create_pool(made, own, title or own, description, license, base_name, xlora=entry)
    return ids


def copy(source: Path, target: Path) -> None:
    """Copy an adapter's or a classifier's files, unmodified."""
    target.mkdir(parents=True)
    for name in ADAPTER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
