"""Imports an X-LoRA model of PEFT (``XLoraModel``) as a pool: base, adapters and classifier, the last two unmodified."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gander_routing.errors import UserError
from gander_routing.files import stored_tensors

from gander_training.bases.export import export_base
from gander_training.bases.source import load_source
from gander_training.files import whole_folder
from gander_training.gates.peft_xlora import CLASSIFIER, CONFIG, WEIGHTS, modules_of, read_config
from gander_training.pools.pool import check_expert, create_pool

ADAPTER_FILES = (CONFIG, WEIGHTS, "README.md")


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
