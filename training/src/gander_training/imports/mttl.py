"""Imports experts of the ``mttl`` library (github.com/microsoft/mttl) with PHATGOOSE gates into a pool with their base.

A library is a folder. ``<expert>.ckpt`` contains ``{layer}.lora_a`` [d_in, r] and ``{layer}.lora_b`` [r, d_out], which
mttl's modules/lora.py multiplies by lora_alpha / lora_rank from ``<expert>.meta``: A = lora_aᵀ, B = lora_bᵀ.
``<expert>.phatgoosetransformconfig-<hash>.bin`` contains the gates, ``{layer}.selector.{expert}.v`` [1, d_in]. mttl's
router (PhatgooseSelector) is the same as here: LN of both sides, divided by √d_in, softmax over the chosen.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gander_routing.base import load_shipped
from gander_routing.errors import UserError
from peft import LoraConfig
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from gander_training.files import whole_folder
from gander_training.imports.checkpoint import open_checkpoint
from gander_training.pools.pool import check_expert, manifest_of

GATES = "phatgoosetransformconfig-*"
MATRICES = {".lora_a": "A", ".lora_b": "B"}
# What unpickling a NumPy array needs, also under the names from before NumPy 2.
ARRAYS: list[Any] = [
    np.ndarray,
    np.dtype,
    type(np.dtype(np.float32)),
    (np._core.multiarray._reconstruct, "numpy.core.multiarray._reconstruct"),  # type: ignore[attr-defined]
    (np._core.multiarray._reconstruct, "numpy._core.multiarray._reconstruct"),  # type: ignore[attr-defined]
]


def unpickled(path: Path) -> dict[str, Any]:
    """Load a file of plain data and arrays; no code in it is run."""
    try:
        with torch.serialization.safe_globals(ARRAYS):
            held = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError):
        raise UserError(f"{path}: not a file of plain data that PyTorch saved") from None
    if not isinstance(held, dict):
        raise UserError(f"{path}: holds a {type(held).__name__}, not a dictionary")
    return held


def alpha_of(library: Path, name: str) -> tuple[float, int]:
    """An expert's lora_alpha and lora_rank. Raises ``UserError`` unless it is plain LoRA."""
    path = library / f"{name}.meta"
    config = unpickled(path).get("expert_config")
    if not isinstance(config, dict) or not {"lora_alpha", "lora_rank"} <= config.keys():
        raise UserError(f"{path}: has no lora_alpha and lora_rank")
    if config.get("tie_params"):
        raise UserError(f"{path}: ties matrices of several layers (tie_params), which is not supported")
    return float(config["lora_alpha"]), int(config["lora_rank"])


def adapter_of(library: Path, name: str, rank: int) -> dict[str, Tensor]:
    """An expert's adapter, as PEFT's tensors."""
    checkpoint = open_checkpoint(library / f"{name}.ckpt")
    tensors = {}
    for key, shape in checkpoint.shapes.items():
        layer, letter = key[:-7], MATRICES.get(key[-7:])
        if letter is None or len(shape) != 2:
            raise UserError(f"{checkpoint.path}: {key} {list(shape)} is not a matrix of plain LoRA")
        if shape[1 if letter == "A" else 0] != rank:
            raise UserError(f"{checkpoint.path}: {key} is {list(shape)}, lora_rank is {rank}")
        tensors[f"base_model.model.{layer}.lora_{letter}.weight"] = checkpoint.read(key).T.contiguous()
    return tensors


def gates_of(library: Path, name: str) -> dict[str, Tensor]:
    """An expert's gates."""
    files = sorted(library.glob(f"{name}.{GATES}.bin"))
    if len(files) != 1:
        raise UserError(f"{library}: expected one file {name}.{GATES}.bin, found {len(files)}")
    gates = {}
    for key, value in unpickled(files[0]).get("data", {}).items():
        layer, _, rest = key.rpartition(".selector.")
        if rest != f"{name}.v" or not isinstance(value, (np.ndarray, Tensor)) or value.shape[:-1] != (1,):
            raise UserError(f"{files[0]}: {key} is not a gate of {name}")
        gates[layer] = torch.as_tensor(value)[0].clone()
    return gates


def import_mttl(library: Path, pool: Path, names: Sequence[str] | None = None) -> list[str]:
    """Write a library's experts, or only ``names``, into ``pool``, one after another; returns their ids."""
    manifest = manifest_of(pool)
    there = sorted(path.stem for path in library.glob("*.ckpt"))
    wanted = list(names) if names is not None else there
    if unknown := [name for name in wanted if name not in there]:
        raise UserError(f"{library}: has no {unknown[0]}.ckpt")
    if not wanted:
        raise UserError(f"{library}: has no .ckpt files")
    model, _ = load_shipped(pool)
    task = "SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM"
    for name in tqdm(wanted, desc="experts"):
        target = pool / manifest["experts"] / name
        if target.exists():
            continue
        alpha, rank = alpha_of(library, name)
        adapter, gates = adapter_of(library, name, rank), gates_of(library, name)
        layers = sorted({key.removeprefix("base_model.model.").rpartition(".lora_")[0] for key in adapter})
        config = LoraConfig(
            task_type=task,
            base_model_name_or_path=manifest["base"].get("name"),
            inference_mode=True,
            r=rank,
            lora_alpha=int(alpha) if alpha.is_integer() else alpha,  # type: ignore[arg-type]
            target_modules=layers,
        )
        with whole_folder(target) as folder:
            config.save_pretrained(str(folder))
            save_file(adapter, folder / "adapter_model.safetensors", metadata={"format": "pt"})
            save_file(gates, folder / "gate.safetensors", metadata={"format": "pt"})
            check_expert(folder, model)
    return wanted
