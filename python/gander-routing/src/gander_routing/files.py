"""Reads a whole file, or refuses it with a one-line error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from gander_routing.errors import UserError


def stored_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file in their own types. Raises ``UserError`` naming the file and the tensor."""
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: {error}") from error
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise UserError(f"{path}: {name} contains a number that is not finite")
    return tensors


def read_tensors(path: Path) -> dict[str, Tensor]:
    """As ``stored_tensors``, converted to F32."""
    return {name: tensor.float() for name, tensor in stored_tensors(path).items()}


def read_json(path: Path) -> Any:
    """Parse a JSON file. Raises ``UserError`` if it is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not JSON ({error})") from None
