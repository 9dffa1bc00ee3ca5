"""Imports a checkpoint of PHATGOOSE's released code (github.com/r-three/phatgoose) as a pool, expert by expert.

Its keys for each module M and expert i: ``M._addons.router.expert_embeddings__i`` [d_in] is the gate,
``M._addons.expert_lora.layer1__i`` [d_in, r] and ``…layer2__i`` [r, d_out] are the adapter. The authors' module adds
u layer1 layer2 / r, so A = layer1ᵀ, B = layer2ᵀ, and lora_alpha is 1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml
from gander_routing.encoder_decoder import PARTS
from gander_routing.errors import UserError
from gander_routing.files import read_json
from gander_routing.pool import Module
from peft import LoraConfig
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm
from transformers import PreTrainedModel

from gander_training.bases.encoder_decoder import export_pair, outline, placed, shipped_table
from gander_training.files import whole_folder
from gander_training.imports.checkpoint import Checkpoint, open_checkpoint
from gander_training.pools.pool import check_expert, create_pool

GATE, LAYER1, LAYER2 = "router.expert_embeddings", "expert_lora.layer1", "expert_lora.layer2"
PARTS_OF_EXPERT = (GATE, LAYER1, LAYER2)
KEY = re.compile(
    rf"(?P<module>.+)\._addons\.(?P<part>{'|'.join(map(re.escape, PARTS_OF_EXPERT))})__(?P<index>0|[1-9]\d*)"
)
# Copies of the base's embedding. They belong to no expert, but the authors' loader replaces the base's with them.
TABLES = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
# The authors' code adds this to the sum of the chosen probabilities before dividing by it.
WEIGHT_EPSILON = 1e-6
NUMBERED = re.compile(r"(?:expert-)?(\d+)(?:-.*)?")


@dataclass(frozen=True)
class Layout:
    """A checkpoint's contents: (d_in, d_out) by module, the same for all ``count`` experts, which have one rank."""

    modules: dict[str, tuple[int, int]]
    count: int
    rank: int


@dataclass(frozen=True)
class Imported:
    """An expert's index in the checkpoint, folder and display name."""

    index: int
    id: str
    name: str


def key_of(module: str, part: str, index: int) -> str:
    """The key of one tensor of expert ``index``."""
    return f"{module}._addons.{part}__{index}"


def layout_of(checkpoint: Checkpoint) -> Layout:
    """The experts in a checkpoint. Raises ``UserError`` if one is missing, incomplete or unlike the others."""
    modules, indices = set(), set()
    for key in checkpoint.shapes:
        if match := KEY.fullmatch(key):
            modules.add(match["module"])
            indices.add(int(match["index"]))
        elif key not in TABLES:
            raise UserError(f"{checkpoint.path}: {key} is neither part of an expert nor an embedding")
    if not indices:
        raise UserError(f"{checkpoint.path}: holds no expert of PHATGOOSE's released code")
    count = max(indices) + 1
    if len(indices) < count:
        missing = next(index for index in range(count) if index not in indices)
        raise UserError(f"{checkpoint.path}: expert {missing} is missing (the last is {count - 1})")
    ordered = sorted(modules, key=lambda path: Module.at(path).order())
    rank = sizes_of(checkpoint, ordered[0], 0)[1]
    sizes: dict[str, tuple[int, int]] = {}
    for index in range(count):
        for module in ordered:
            d_in, own, d_out = sizes_of(checkpoint, module, index)
            if own != rank:
                raise UserError(f"{checkpoint.path}: expert {index} has rank {own} at {module}, others have {rank}")
            if sizes.setdefault(module, (d_in, d_out)) != (d_in, d_out):
                known = "{} → {}".format(*sizes[module])
                raise UserError(
                    f"{checkpoint.path}: expert {index} is {d_in} → {d_out} at {module}, others are {known}"
                )
    return Layout(sizes, count, rank)


def sizes_of(checkpoint: Checkpoint, module: str, index: int) -> tuple[int, int, int]:
    """d_in, rank and d_out of one expert at one module."""
    shapes = []
    for part in PARTS_OF_EXPERT:
        key = key_of(module, part, index)
        if key not in checkpoint.shapes:
            raise UserError(f"{checkpoint.path}: {key} is missing")
        shapes.append(checkpoint.shapes[key])
    gate, first, second = shapes
    if len(first) != 2 or len(second) != 2 or first[1] != second[0] or gate != first[:1]:
        told = ", ".join(f"{part} {list(shape)}" for part, shape in zip(PARTS_OF_EXPERT, shapes, strict=True))
        raise UserError(f"{checkpoint.path}: expert {index} at {module} has {told}, which do not fit together")
    return first[0], first[1], second[1]


def check_base(checkpoint: Checkpoint, layout: Layout, base: Path, model: PreTrainedModel) -> None:
    """Refuse a checkpoint whose modules are not in the base ``model`` with the same sizes."""
    layers = dict(model.named_modules())
    for module, (d_in, d_out) in layout.modules.items():
        layer = layers.get(module)
        if not isinstance(layer, nn.Linear):
            raise UserError(f"{base}: has no linear layer {module}, for which {checkpoint.path} has experts")
        if (layer.in_features, layer.out_features) != (d_in, d_out):
            own = f"{layer.in_features} → {layer.out_features}"
            raise UserError(f"{base}: {module} is {own}, {checkpoint.path} has experts of {d_in} → {d_out}")
    table = tuple(model.get_parameter("shared.weight").shape)
    for key in TABLES:
        if checkpoint.shapes.get(key, table) != table:
            raise UserError(f"{base}: its embedding is {list(table)}, {key} is {list(checkpoint.shapes[key])}")


def table_of(checkpoint: Checkpoint) -> Tensor | None:
    """The checkpoint's copy of the base's embedding, if it has one."""
    keys = [key for key in TABLES if key in checkpoint.shapes]
    tables = [checkpoint.read(key) for key in keys]
    if len(tables) == 2 and not torch.equal(*tables):
        raise UserError(f"{checkpoint.path}: {keys[0]} and {keys[1]} differ, and a T5 has one embedding")
    return tables[0] if tables else None


def said_of_table(own: Tensor, table: Tensor) -> str:
    """How the checkpoint's copy ``table`` differs from the base's embedding, and which one the pool gets."""
    rows = int((own != table).any(1).sum())
    if not rows:
        return "embedding: the checkpoint's copy equals the base's"
    largest = (own - table.to(own)).abs().max().item()
    rounding = torch.equal(own.to(table.dtype), table)
    how = (
        f"by rounding to {table.dtype}".replace("torch.", "")
        if rounding
        else "by more than rounding: is this the right base?"
    )
    return (
        f"embedding: the checkpoint's copy differs from the base's in {rows} of {len(table)} rows, by at most {largest:.2g} "
        f"({how}); the pool's base gets the copy, as in the authors' loader"
    )


def said_of_kept(checkpoint: Checkpoint, target: Path, table: Tensor | None) -> str:
    """How an existing base's embedding differs. Raises ``UserError`` if by more than rounding."""
    own = shipped_table(target)
    if table is None or (own.shape == table.shape and torch.equal(own, table.float())):
        return ""
    if own.shape != table.shape or not torch.equal(own.to(table.dtype), table):
        raise UserError(f"{target}: its embedding is not that of {checkpoint.path} (delete it to make it again)")
    return f", with its own embedding: the checkpoint's is rounded to {table.dtype}".replace("torch.", "")


def write_base(checkpoint: Checkpoint, base: Path, target: Path) -> None:
    """Write the pool's ``base`` with the checkpoint's embedding; an existing one is kept."""
    table = table_of(checkpoint)
    if target.is_dir():
        print(f"{target}: kept{said_of_kept(checkpoint, target, table)}")
        return

    def embed(model: PreTrainedModel) -> None:
        if table is None:
            return
        own = model.get_parameter("shared.weight")
        print(said_of_table(own.detach(), table))
        with torch.no_grad():
            own.copy_(table)

    export_pair(base, target, embed)


def adapter_of(checkpoint: Checkpoint, layout: Layout, index: int) -> dict[str, Tensor]:
    """One expert's adapter as PEFT's tensors, in their stored type."""
    tensors = {}
    for module in layout.modules:
        for letter, part in (("A", LAYER1), ("B", LAYER2)):
            transposed = checkpoint.read(key_of(module, part, index)).T.contiguous()
            tensors[f"base_model.model.{module}.lora_{letter}.weight"] = transposed
    return tensors


def gates_of(checkpoint: Checkpoint, layout: Layout, index: int) -> dict[str, Tensor]:
    """One expert's gates."""
    return {module: checkpoint.read(key_of(module, GATE, index)).clone() for module in layout.modules}


def target_modules(layout: Layout, model: nn.Module) -> list[str]:
    """The last names of the adapted modules if no other module has one of these, otherwise their whole paths."""
    lasts = {module.rpartition(".")[2] for module in layout.modules}
    named = {path for path, layer in model.named_modules() if path.rpartition(".")[2] in lasts}
    return sorted(lasts if named == layout.modules.keys() else layout.modules)


def sort_targets(path: Path) -> None:
    """Sort ``target_modules``: PEFT writes a set, whose order differs from run to run."""
    saved = read_json(path)
    saved["target_modules"] = sorted(saved["target_modules"])
    path.write_text(json.dumps(saved, indent=2) + "\n", encoding="utf-8")


def write_expert(folder: Path, checkpoint: Checkpoint, layout: Layout, expert: Imported, config: LoraConfig) -> None:
    """Write one folder of ``experts/``, whole or not at all."""
    with whole_folder(folder) as temporary:
        config.save_pretrained(str(temporary))
        sort_targets(temporary / "adapter_config.json")
        adapter = temporary / "adapter_model.safetensors"
        save_file(adapter_of(checkpoint, layout, expert.index), adapter, metadata={"format": "pt"})
        gate = temporary / "gate.safetensors"
        save_file(gates_of(checkpoint, layout, expert.index), gate, metadata={"format": "pt"})
        for file in (adapter, gate):
            file.chmod(0o644)  # safetensors makes files readable only by their owner
        front = {
            "name": expert.name,
            "description": f"Expert {expert.index} of {checkpoint.path.name}, a checkpoint of PHATGOOSE's released code.",
            "base_model": config.base_model_name_or_path,
        }
        card = f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=1000)}---\n\n# {expert.name}\n"
        (temporary / "README.md").write_text(card, encoding="utf-8")


def write_experts(
    folder: Path, checkpoint: Checkpoint, layout: Layout, experts: Sequence[Imported], config: LoraConfig
) -> None:
    """Write experts one by one, so that only one is in memory; experts from an earlier run stay as they are."""
    for expert in tqdm(experts, desc="experts"):
        if (folder / expert.id).is_dir():
            require_same(folder / expert.id, checkpoint, layout, expert)
        else:
            write_expert(folder / expert.id, checkpoint, layout, expert, config)


def holds(file: Path, tensors: dict[str, Tensor]) -> bool:
    """Whether a safetensors file contains exactly ``tensors``."""
    try:
        with safe_open(file, framework="pt") as there:
            return set(there.keys()) == set(tensors) and all(
                torch.equal(there.get_tensor(name), tensor) for name, tensor in tensors.items()
            )
    except (OSError, SafetensorError):
        return False


def require_same(folder: Path, checkpoint: Checkpoint, layout: Layout, expert: Imported) -> None:
    """Refuse an existing expert that differs from what would be written now."""
    adapter = holds(folder / "adapter_model.safetensors", adapter_of(checkpoint, layout, expert.index))
    if not adapter or not holds(folder / "gate.safetensors", gates_of(checkpoint, layout, expert.index)):
        raise UserError(f"{folder}: already exists with other values than in {checkpoint.path} (delete it to continue)")


def read_names(path: Path, count: int) -> list[str]:
    """Read one name per line, in the order of the checkpoint's indices."""
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    if len(names) != count:
        raise UserError(f"{path}: {len(names)} names, the checkpoint has {count} experts")
    if len(set(names)) < count:
        raise UserError(f"{path}: {next(name for name in names if names.count(name) > 1)} appears twice")
    return names


def experts_of(count: int, names: Sequence[str] | None, chosen: Sequence[int] | None) -> list[Imported]:
    """The experts to import, with their names. Ids begin with the index, to sort in the checkpoint's order."""
    width = max(2, len(str(count - 1)))
    out = []
    for index in sorted(set(chosen)) if chosen is not None else range(count):
        if not 0 <= index < count:
            raise UserError(f"--experts: there is no expert {index}; the checkpoint has 0 to {count - 1}")
        number = f"{index:0{width}}"
        if names:
            out.append(Imported(index, f"{number}-{re.sub(r'[^A-Za-z0-9._-]+', '-', names[index])}", names[index]))
        else:
            out.append(Imported(index, f"expert-{number}", f"expert-{number}"))
    return out


def require_no_other_names(folder: Path, experts: Sequence[Imported]) -> None:
    """Refuse to write an expert again under another name."""
    ids = {expert.index: expert.id for expert in experts}
    for entry in folder.glob("[!.]*"):
        match = NUMBERED.fullmatch(entry.name)
        if match and ids.get(int(match[1]), entry.name) != entry.name:
            raise UserError(f"{entry}: expert {int(match[1])} already exists under another name")


def import_phatgoose(
    path: Path,
    base: Path,
    pool: Path,
    *,
    names: Path | None = None,
    chosen: Sequence[int] | None = None,
    title: str | None = None,
    license: str = "not stated",
) -> list[str]:
    """Make or complete a pool; returns its experts' ids. All checks happen before anything is written."""
    checkpoint = open_checkpoint(path)
    layout = layout_of(checkpoint)
    experts = experts_of(layout.count, read_names(names, layout.count) if names else None, chosen)
    model = outline(base)
    check_base(checkpoint, layout, base, model)
    require_no_other_names(pool / "experts", experts)
    base_name = base.resolve().name
    config = LoraConfig(
        task_type="SEQ_2_SEQ_LM",
        base_model_name_or_path=base_name,
        inference_mode=True,
        r=layout.rank,
        lora_alpha=1,
        lora_dropout=0.0,
        target_modules=target_modules(layout, model),
    )
    write_base(checkpoint, base, pool / "base")
    write_experts(pool / "experts", checkpoint, layout, experts, config)
    check_pool_of(pool, layout, experts)
    if not (pool / "pool.json").is_file():
        description = f"From {path.name}, a checkpoint of PHATGOOSE's released code with {layout.count} experts."
        own = pool.resolve().name
        create_pool(pool, own, title or own, description, license, base_name, weightEpsilon=WEIGHT_EPSILON)
    return [expert.id for expert in experts]


def check_pool_of(pool: Path, layout: Layout, experts: Sequence[Imported]) -> None:
    """Check the written experts against the pool's own base: shapes, and which modules its graphs compute."""
    base = pool / "base"
    there = placed(base)
    for module in layout.modules:
        if module not in there:
            raise UserError(f"{base}: none of {', '.join(PARTS.values())} computes {module}")
    model = outline(base)
    for expert in tqdm(experts, desc="check"):
        check_expert(pool / "experts" / expert.id, model)
