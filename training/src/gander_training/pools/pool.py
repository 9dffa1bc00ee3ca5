"""Make a pool folder, add an expert to it, and check every file in it (docs/pool-format.md)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
import yaml
from gander_routing.base import load_shipped
from gander_routing.encoder_decoder import PARTS
from gander_routing.errors import UserError
from gander_routing.files import read_json, read_tensors
from gander_routing.pool import Expert, general_folders, read_expert, read_pool
from gander_routing.router import Router
from gander_routing.strategies import Strategy
from torch import Tensor, nn

from gander_training.experts.workbench import check_adapter
from gander_training.files import whole_file, whole_folder
from gander_training.gates.peft_xlora import check_entry

FORMAT = "gander-pool"
VERSION = 1
EXPERT_FILES = (
    "adapter_config.json",
    "adapter_model.safetensors",
    "gate.safetensors",
    "activation.safetensors",
    "examples.safetensors",
    "README.md",
)
REQUIRED_FILES = EXPERT_FILES[:2]


def manifest_of(pool: Path) -> dict[str, Any]:
    """The pool's ``pool.json``, after checking format, version and paths."""
    path = pool / "pool.json"
    manifest = read_json(path)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise UserError(f'{path}: "format" is not "{FORMAT}"')
    if not isinstance(manifest.get("version"), int) or manifest["version"] > VERSION:
        raise UserError(f"{path}: version {manifest.get('version')}, this program reads {VERSION}")
    base = manifest.get("base")
    if not isinstance(base, dict):
        raise UserError(f'{path}: "base" is missing')
    named = {f"base.{key}": base.get(key) for key in ("tokenizer", "config")}
    if isinstance(model := base.get("model"), dict):
        named |= {f"base.model.{part}": model.get(part) for part in PARTS}
    else:
        named["base.model"] = model
    named["experts"] = manifest.get("experts")
    for key in ("multitask", "general"):
        if key in manifest:
            named[key] = manifest[key]
    for key, value in (manifest.get("retriever") or {}).items():
        named[f"retriever.{key}"] = value
    if "xlora" in manifest:
        named["xlora.classifier"] = (manifest["xlora"] or {}).get("classifier")
    for key, value in named.items():
        if not isinstance(value, str):
            raise UserError(f'{path}: "{key}" is missing')
        if not (pool / value).resolve().is_relative_to(pool.resolve()):
            raise UserError(f'{path}: "{key}" leaves the pool: {value}')
    return manifest


def create_pool(
    pool: Path, identifier: str, name: str, description: str, license: str, base_name: str, **more: Any
) -> None:
    """Write ``pool.json`` for a pool whose ``base`` is already exported, naming its retriever and multitask if present.

    ``more`` is added as it is.
    """
    parts = {part: f"base/{file}" for part, file in PARTS.items()}
    is_pair = all((pool / file).is_file() for file in parts.values())
    if not is_pair and not (pool / "base" / "model.onnx").is_file():
        raise UserError(f"{pool / 'base' / 'model.onnx'}: no such file (run export-base first)")
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "id": identifier,
        "name": name,
        "description": description,
        "license": license,
        "base": {
            "name": base_name,
            "model": parts if is_pair else "base/model.onnx",
            "tokenizer": "base/tokenizer.json",
            "config": "base/config.json",
        },
        "experts": "experts",
        "topK": 2,
        **more,
    }
    if (pool / "multitask").is_dir():
        manifest["multitask"] = "multitask"
    if (pool / "retriever" / "model.onnx").is_file():
        manifest["retriever"] = {"model": "retriever/model.onnx", "tokenizer": "retriever/tokenizer.json"}
    (pool / "experts").mkdir(exist_ok=True)
    with whole_file(pool / "pool.json") as path:
        path.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def check_expert(folder: Path, model: nn.Module) -> Expert:
    """Read one expert and check it against the base. It may have no gate. Raises ``UserError`` naming the file and the mismatch."""
    for name in REQUIRED_FILES:
        if not (folder / name).is_file():
            raise UserError(f"{folder / name}: no such file")
    check_adapter(folder, model)  # type: ignore[arg-type]
    expert = read_expert(folder)
    # Router refuses what PEFT's names do not show: a layer that is not linear, a rank other than the configuration's.
    Router(model, [expert], Strategy("single", expert=expert.id), torch.zeros(1, 1, 1), None)
    if expert.gate:
        missing = expert.lora.keys() - expert.gate.keys()
        if missing:
            raise UserError(f"{folder / 'gate.safetensors'}: no vector for {sorted(missing)[0]}")
        if all(not vector.any() for vector in expert.gate.values()):
            raise UserError(f"{folder / 'gate.safetensors'}: every vector is zero")
    if (folder / "examples.safetensors").is_file():
        _check_examples(folder / "examples.safetensors")
    _check_card(folder / "README.md")
    return expert


def _check_examples(path: Path) -> None:
    tensors: dict[str, Tensor] = read_tensors(path)
    if set(tensors) != {"embeddings", "scales"}:
        raise UserError(f'{path}: expected "embeddings" and "scales", found {sorted(tensors)}')
    rows, scales = tensors["embeddings"], tensors["scales"]
    if rows.dim() != 2 or scales.shape != rows.shape[:1]:
        raise UserError(f"{path}: embeddings {list(rows.shape)} do not fit scales {list(scales.shape)}")


def _check_card(path: Path) -> None:
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8")
    if not text.startswith("---\n"):
        return
    try:
        front = yaml.safe_load(text.split("---\n", 2)[1])
    except yaml.YAMLError as error:
        raise UserError(f"{path}: front matter is not YAML ({str(error).splitlines()[0]})") from None
    if front is not None and not isinstance(front, dict):
        raise UserError(f"{path}: front matter is not a mapping")


def check_pool(pool: Path) -> list[str]:
    """Check everything in a pool; returns a line for each part."""
    manifest = manifest_of(pool)
    for key, value in (manifest.get("retriever") or {}).items():
        if not (pool / value).is_file():
            raise UserError(f"{pool / value}: no such file (pool.json, retriever.{key})")
    model, _ = load_shipped(pool)
    lines = [f"base: {manifest['base'].get('name', '')}, {sum(p.numel() for p in model.parameters()):,} parameters"]
    experts = pool / manifest["experts"]
    if not experts.is_dir():
        raise UserError(f"{experts}: no such folder")
    for folder in sorted(path for path in experts.iterdir() if path.is_dir() and not path.name.startswith(".")):
        expert = check_expert(folder, model)
        lines.append(f"{expert.id}: {expert.name}, {len(expert.lora)} modules{'' if expert.gate else ', no gate'}")
    multitask = pool / manifest.get("multitask", "multitask")
    if "multitask" in manifest:
        expert = check_expert(multitask, model)
        lines.append(f"multitask: {expert.name}, {len(expert.lora)} modules")
    for folder in general_folders(pool, manifest):
        lines.append(
            f"general/{folder.name}: subtracted from every expert, {len(check_expert(folder, model).lora)} modules"
        )
    read_pool(pool)
    if "xlora" in manifest:
        lines.append(f"X-LoRA classifier: {', '.join(check_entry(pool, manifest, model))}")
    return lines


def add_expert(pool: Path, folder: Path, identifier: str | None, overwrite: bool) -> Path:
    """Copy a trained expert into the pool after checking it against the pool's base; returns its folder."""
    manifest = manifest_of(pool)
    identifier = identifier or folder.resolve().name
    if not identifier or identifier.startswith(".") or Path(identifier).name != identifier:
        raise UserError(f"{identifier!r}: not a folder name")
    target = pool / manifest["experts"] / identifier
    if target.exists() and not overwrite:
        raise UserError(f"{target}: already exists (use --overwrite to replace it)")
    model, _ = load_shipped(pool)
    check_expert(folder, model)
    with whole_folder(target) as temporary:
        for name in EXPERT_FILES:
            if (folder / name).is_file():
                shutil.copyfile(folder / name, temporary / name)
    return target
