"""Reads a checkpoint tensor by tensor: a PyTorch file, mapped into memory, or a safetensors file."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from gander_routing.errors import UserError
from safetensors import SafetensorError, safe_open
from torch import Tensor

ZIP = b"PK\x03\x04"
PICKLE = b"\x80"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's keys and shapes; values are read on demand."""

    path: Path
    shapes: dict[str, tuple[int, ...]]
    fetch: Callable[[str], Tensor]

    def read(self, key: str) -> Tensor:
        """One tensor in its stored type. Raises ``UserError`` if a value is not finite."""
        tensor = self.fetch(key)
        if not tensor.is_floating_point() or not torch.isfinite(tensor).all():
            raise UserError(f"{self.path}: {key} contains values that are not finite numbers")
        return tensor


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a file, recognised by its contents; no code in it is run."""
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == ZIP:
        return _from_torch(path)
    if magic[:1] == PICKLE:
        raise UserError(f"{path}: saved in PyTorch's format from before 1.6, which cannot be mapped (save it again)")
    try:
        held = safe_open(path, framework="pt")
        shapes = {key: tuple(held.get_slice(key).get_shape()) for key in held.keys()}
    except SafetensorError:
        raise UserError(f"{path}: neither a PyTorch checkpoint nor a safetensors file") from None
    return Checkpoint(path, shapes, held.get_tensor)


def _from_torch(path: Path) -> Checkpoint:
    try:
        held = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        raise UserError(
            f"{path}: contains an object that is not a tensor ({named[1] if named else 'unreadable'})"
        ) from None
    except (OSError, RuntimeError, ValueError, EOFError, KeyError):
        raise UserError(f"{path}: an incomplete PyTorch checkpoint") from None
    if not isinstance(held, dict):
        raise UserError(f"{path}: holds a {type(held).__name__}, not tensors by name")
    for key, value in held.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise UserError(f"{path}: {key} is a {type(value).__name__}, not a tensor")
    return Checkpoint(path, {key: tuple(value.shape) for key, value in held.items()}, held.__getitem__)
