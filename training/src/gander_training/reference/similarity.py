"""How similar a pool's experts are, computed plainly: with each adapter's product s B A, and each gate normalised as in
the router. The engine, which uses only the factors, is checked against this.

``python -m gander_training.reference.similarity --pool POOL --out FILE`` writes cosines [1 + L, N, N] as ``gate`` and
``adapter``: over all modules, then layer by layer; NaN if two experts share no module.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from gander_routing.pool import Expert, modules_of, read_pool
from gander_routing.strategies import EPSILON
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

# The part of an expert that is compared at a module, as one long vector; None if it has none there.
Vector = Callable[[Expert, str], Tensor | None]


def gate_vector(expert: Expert, path: str) -> Tensor | None:
    """LN(v), against which tokens are scored."""
    gate = expert.gate.get(path) if path in expert.lora else None
    return None if gate is None else functional.layer_norm(gate.double(), gate.shape, eps=EPSILON)


def adapter_vector(expert: Expert, path: str) -> Tensor | None:
    """s B A, flattened."""
    lora = expert.lora.get(path)
    return None if lora is None else (lora.scale * (lora.b.double() @ lora.a.double())).flatten()


def cosines(experts: Sequence[Expert], path: str, vector: Vector) -> Tensor:
    """Cosines [N, N] at one module."""
    found = [(place, vector(expert, path)) for place, expert in enumerate(experts)]
    known = {place: functional.normalize(v, dim=0) for place, v in found if v is not None and v.any()}
    out = torch.full((len(experts), len(experts)), torch.nan, dtype=torch.float64)
    if known:
        stacked, places = torch.stack(list(known.values())), torch.tensor(list(known))
        out[places[:, None], places] = stacked @ stacked.T
    return out


def similarity(experts: Sequence[Expert], vector: Vector) -> Tensor:
    """Cosines [1 + L, N, N] F32: over all modules, then layer by layer."""
    modules = modules_of(experts)
    each = torch.stack([cosines(experts, module.path, vector) for module in modules])
    layers = [(module.stack, module.layer) for module in modules]
    masks = [torch.tensor([own == layer for own in layers]) for layer in dict.fromkeys(layers)]
    return torch.stack([each.nanmean(0), *(each[mask].nanmean(0) for mask in masks)]).float()


def main(argv: list[str] | None = None) -> int:
    """Entry point of ``python -m gander_training.reference.similarity``."""
    parser = argparse.ArgumentParser(prog="gander_training.reference.similarity", description=__doc__)
    parser.add_argument("--pool", type=Path, required=True, help="pool folder")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    args = parser.parse_args(argv)
    experts = read_pool(args.pool).experts
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_file({"gate": similarity(experts, gate_vector), "adapter": similarity(experts, adapter_vector)}, str(args.out))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
