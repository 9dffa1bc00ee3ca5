"""Reads a pool from disk: its experts, and the modules that they adapt.

Axes: T tokens, r rank.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from torch import Tensor

from gander_routing.cards import split_card
from gander_routing.errors import UserError
from gander_routing.files import read_json, read_tensors, stored_tensors

Stack = Literal["encoder", "decoder"]
STACKS: tuple[Stack | None, ...] = (None, "encoder", "decoder")
KINDS = ("q", "k", "v", "o", "cross-q", "cross-k", "cross-v", "cross-o", "gate", "up", "down")
# Keys are the last one or two parts of a module's path.
KIND_OF = (
    {f"{kind}_proj": kind for kind in KINDS}
    | {f"EncDecAttention.{kind}": f"cross-{kind}" for kind in ("q", "k", "v", "o")}
    | {
        f"DenseReluDense.{last}": kind
        for last, kind in (("wi_0", "gate"), ("wi_1", "up"), ("wi", "up"), ("wo", "down"))
    }
)
LORA_KEY = re.compile(r"base_model\.model\.(?P<path>.+)\.lora_(?P<part>[AB])\.weight")
# PEFT's additions to LoRA that are not supported here, with the value that means "off".
UNSUPPORTED = {"use_dora": False, "bias": "none", "lora_bias": False, "modules_to_save": None}
# Values of init_lora_weights with which PEFT changes the base's weights before training.
OTHER_BASES = ("pissa", "olora", "corda", "lora_ga", "loftq")


@dataclass(frozen=True)
class Lora:
    """One module's adapter: h += scale · B A u."""

    a: Tensor  # [r, d_in]
    b: Tensor  # [d_out, r]
    scale: float  # lora_alpha / r, or lora_alpha / sqrt(r) when rank-stabilised
    stored: torch.dtype = torch.float32  # the type in the file; a and b are F32

    def delta(self, u: Tensor) -> Tensor:
        """scale · B A u for u [T, d_in]: [T, d_out], in u's data type."""
        return self.scale * (u @ self.a.to(u).T @ self.b.to(u).T)

    def direction(self) -> Tensor:
        """The top right singular vector of B A, unit length, [d_in]; its sign is arbitrary."""
        q_b, r_b = torch.linalg.qr(self.b.double())
        q_a, r_a = torch.linalg.qr(self.a.double().T)
        # B A = q_b (r_b r_aᵀ) q_aᵀ: the r × r matrix in the middle has the same singular values.
        _, _, right = torch.linalg.svd(r_b @ r_a.T)
        top: Tensor = q_a @ right[0]
        return top.float()


@dataclass(frozen=True)
class Expert:
    """One expert. Vectors and adapters are F32, keyed by module path."""

    id: str
    name: str
    lora: dict[str, Lora]
    gate: dict[str, Tensor] = field(default_factory=dict)  # each [d_in]
    activation: dict[str, Tensor] = field(default_factory=dict)  # each [d_in]
    router_rows: dict[str, Tensor] = field(default_factory=dict)  # of the jointly trained router, each [d_in]

    @cached_property
    def directions(self) -> dict[str, Tensor]:
        """Arrow's vectors, each [d_in]."""
        return {path: lora.direction() for path, lora in self.lora.items()}


@dataclass(frozen=True)
class Module:
    """One adapted linear layer."""

    path: str
    layer: int
    kind: str
    stack: Stack | None = None  # in an encoder-decoder
    sequence: int = 0  # which tokens it sees: 0 for the input (or the only text), 1 for the output

    @classmethod
    def at(cls, path: str) -> Module:
        """The module at a Hugging Face path; the layer is the path's first number, or −1 if there is none."""
        number = re.search(r"\.(\d+)(?:\.|$)", path)
        *_, parent, last = ["", *path.split(".")]
        kind = KIND_OF.get(f"{parent}.{last}") or KIND_OF.get(last, last)
        first = path.partition(".")[0]
        stack = next((one for one in STACKS if one == first), None)
        # Cross-attention makes its keys and values from the encoder's result, so they see the input's tokens.
        own = stack == "decoder" and kind not in ("cross-k", "cross-v")
        return cls(path, int(number[1]) if number else -1, kind, stack, int(own))

    def order(self) -> tuple[int, int, int, str]:
        """Stack, then layer, then kind, then path."""
        kind = KINDS.index(self.kind) if self.kind in KINDS else len(KINDS)
        return STACKS.index(self.stack), self.layer, kind, self.path


@dataclass(frozen=True)
class Pool:
    """The contents of a pool folder, without the base model."""

    path: Path
    manifest: dict[str, Any]
    experts: list[Expert]  # by id, in code-point order
    multitask: Expert | None


def modules_of(experts: Sequence[Expert]) -> list[Module]:
    """Every module that an expert adapts, in the order of a trace's module axis."""
    paths = {path for expert in experts for path in expert.lora}
    return sorted((Module.at(path) for path in paths), key=Module.order)


def pattern_value(pattern: dict[str, Any] | None, path: str, default: Any) -> Any:
    """The value for ``path`` by PEFT's rule: the first key of the pattern that matches the path's end wins."""
    for key, value in (pattern or {}).items():
        if re.match(rf"(.*\.)?({key})$", path):
            return value
    return default


def read_adapter(folder: Path) -> dict[str, Lora]:
    """Read PEFT's ``adapter_config.json`` and ``adapter_model.safetensors``: adapters by module path."""
    config = read_json(folder / "adapter_config.json")
    for key, value in UNSUPPORTED.items():
        if config.get(key, value) not in (value, [] if value is None else value):
            raise UserError(f"{folder / 'adapter_config.json'}: {key} = {config[key]!r} is not supported")
    if str(init := config.get("init_lora_weights")).lower().startswith(OTHER_BASES):
        raise UserError(f"{folder / 'adapter_config.json'}: init_lora_weights = {init!r} is for a changed base")
    file = folder / "adapter_model.safetensors"
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in stored_tensors(file).items():
        match = LORA_KEY.fullmatch(name)
        if match is None:
            raise UserError(f"{file}: {name} is not a LoRA weight")
        parts.setdefault(match["path"], {})[match["part"]] = tensor
    return {path: read_lora(file, config, path, pair) for path, pair in parts.items()}


def read_lora(file: Path, config: dict[str, Any], path: str, pair: dict[str, Tensor]) -> Lora:
    """The adapter of one module; its rank must agree with the configuration."""
    if set(pair) != {"A", "B"}:
        raise UserError(f"{file}: {path} has only lora_{'A' if 'A' in pair else 'B'}")
    rank = pattern_value(config.get("rank_pattern"), path, config["r"])
    alpha = pattern_value(config.get("alpha_pattern"), path, config["lora_alpha"])
    a, b = pair["A"], pair["B"]
    if a.shape[0] != rank or b.shape[1] != rank:
        raise UserError(f"{file}: {path} has rank {a.shape[0]} and {b.shape[1]}, its configuration says {rank}")
    scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    return Lora(a.float(), b.float(), scale, torch.promote_types(a.dtype, b.dtype))


def without_general(folder: Path, lora: dict[str, Lora], general: Sequence[dict[str, Lora]]) -> dict[str, Lora]:
    """``lora`` minus the means of the general adapters' A and B, as PEFT's GenKnowSub (``gen_know_sub``) computes it."""
    for other in general:
        for path in {*lora, *other}:
            here, there = lora.get(path), other.get(path)
            if here is None or there is None or here.a.shape != there.a.shape or here.b.shape != there.b.shape:
                raise UserError(f"{folder}: {path} is not adapted like the pool's general adapters")

    def rest(path: str, own: Lora) -> Lora:
        a, b = (torch.stack([getattr(other[path], part) for other in general]).mean(0) for part in ("a", "b"))
        return Lora(own.a - a, own.b - b, own.scale)

    return {path: rest(path, own) for path, own in lora.items()} if general else lora


def card_name(folder: Path) -> str:
    """The name in a model card's front matter, or the folder's own."""
    card = folder / "README.md"
    written, _ = split_card(card.read_text(encoding="utf-8") if card.exists() else "")
    front = yaml.safe_load(written) if written is not None else None
    return str(front.get("name", folder.name)) if isinstance(front, dict) else folder.name


def read_expert(folder: Path, *, general: Sequence[dict[str, Lora]] = ()) -> Expert:
    """Read one expert's folder. ``general``: the pool's general adapters, which are subtracted."""
    lora = without_general(folder, read_adapter(folder), general)
    gate_file, activation_file = folder / "gate.safetensors", folder / "activation.safetensors"
    gate = read_tensors(gate_file) if gate_file.exists() else {}
    activation = read_tensors(activation_file) if activation_file.exists() else {}
    for file, vectors in ((gate_file, gate), (activation_file, activation)):
        for path, vector in vectors.items():
            d_in = lora[path].a.shape[1] if path in lora else None
            if vector.shape != (d_in,):
                raise UserError(f"{file}: {path} is {list(vector.shape)}, the adapter's input {d_in}")
    return Expert(folder.name, card_name(folder), lora, gate, activation)


def with_router_rows(experts: Sequence[Expert], pool: Path, router: dict[str, Any]) -> list[Expert]:
    """The experts, each with its rows of the pool's jointly trained router: one matrix [experts, d_in] per module."""
    matrices = read_tensors(pool / router["weights"])
    rows = {identifier: row for row, identifier in enumerate(router["experts"])}
    for path, matrix in matrices.items():
        if matrix.ndim != 2 or len(matrix) != len(rows):
            raise UserError(f"{router['weights']}: {path} is {list(matrix.shape)}, for {len(rows)} experts")
    return [
        replace(expert, router_rows={path: matrix[rows[expert.id]] for path, matrix in matrices.items()})
        if expert.id in rows
        else expert
        for expert in experts
    ]


def general_folders(pool: Path, manifest: dict[str, Any]) -> list[Path]:
    """The folders of the general adapters that are subtracted from a pool's experts."""
    if "general" not in manifest:
        return []
    folder = pool / str(manifest["general"])
    entries = sorted(entry for entry in folder.glob("[!.]*") if entry.is_dir())
    if not entries:
        raise UserError(f"{folder}: contains no general adapter")
    return entries


def read_pool(path: Path) -> Pool:
    """Read a pool folder (docs/pool-format.md), without its base model."""
    manifest = read_json(path / "pool.json")
    if manifest.get("format") != "gander-pool" or manifest.get("version") != 1:
        raise UserError(f"{path / 'pool.json'}: not a pool of version 1")
    folder = path / str(manifest["experts"])
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    # A leading dot marks a folder that is still being written.
    entries = [entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    folders = sorted(entries, key=lambda entry: entry.name)
    multitask = path / str(manifest.get("multitask", "multitask"))
    general = [read_adapter(entry) for entry in general_folders(path, manifest)]
    experts = [read_expert(entry, general=general) for entry in folders]
    if "router" in manifest:
        experts = with_router_rows(experts, path, manifest["router"])
    return Pool(
        path,
        manifest,
        experts,
        read_expert(multitask) if "multitask" in manifest and multitask.is_dir() else None,
    )


def index_of(experts: Sequence[Expert], identifier: str | None) -> int:
    """An expert's index on the expert axis. Raises ``UserError`` if there is no such expert."""
    ids = [expert.id for expert in experts]
    if identifier not in ids:
        raise UserError(f"there is no expert {identifier!r}, only {', '.join(ids)}")
    return ids.index(identifier)


def blocks_of(modules: Sequence[Module]) -> list[tuple[int, int]]:
    """Runs of neighbouring modules that see the same tokens, as [from, to)."""
    runs = [list(run) for _, run in itertools.groupby(range(len(modules)), lambda index: modules[index].sequence)]
    return [(run[0], run[-1] + 1) for run in runs]
