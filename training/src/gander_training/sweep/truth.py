"""What transformers itself computes: the choices and weights that its experts are called with, and its routers' logits.

Nothing of gander-serve or of the engine is used: the numbers are arguments of the modules ``experts``, whatever the
router before them is. JetMoE alone has no such module; there they are its router's pairs of token and expert.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn

from gander_training.mixtures.golden import reader_of, sorted_by_expert

ROUTERS = ("gate", "router")


@dataclass
class Called:
    """A call of a layer's experts, [T, N] or [T, k]. ``block`` is the path of the module around router and experts."""

    block: str
    score: Tensor | None = None
    chosen: Tensor | None = None
    weight: Tensor | None = None


class Unreadable(Exception):
    """Why transformers' own numbers cannot be seen."""


def blocks_of(model: nn.Module) -> dict[str, tuple[nn.Module, nn.Module | None]]:
    """The experts and the router of each block, by its path."""
    found: dict[str, tuple[nn.Module, nn.Module | None]] = {}
    for path, block in model.named_modules():
        named = (getattr(block, name, None) for name in ROUTERS)
        router = next((one for one in named if isinstance(one, nn.Module)), None)
        experts = getattr(block, "experts", None)
        if router is not None and reader_of(router) is sorted_by_expert:
            found[path] = block, router
        elif isinstance(experts, nn.Module):
            found[path] = experts, router
    return found


@contextmanager
def watched(model: nn.Module) -> Iterator[list[Called]]:
    """In this context, every call of experts is appended to the list."""
    calls: list[Called] = []
    with ExitStack() as stack:
        for path, (experts, router) in blocks_of(model).items():
            called = Called(path)
            for handle in hooks(experts, router, called, calls):
                stack.callback(handle.remove)
        yield calls


def hooks(experts: nn.Module, router: nn.Module | None, called: Called, calls: list[Called]) -> Iterator[Any]:
    """Hooks on a block's router and experts."""

    def scored(_module: nn.Module, _inputs: Any, output: Any) -> None:
        parts = output if isinstance(output, tuple) else (output,)
        tensors = [part.detach().flatten(0, -2) for part in parts if isinstance(part, Tensor) and part.dim() > 1]
        floats = [tensor.float() for tensor in tensors if tensor.is_floating_point()]
        called.score = floats[0].clone() if floats else None
        if len(tensors) == 2 and len(floats) == 2:  # Llama 4: weights of all experts, 0 for the others, and logits
            called.score = floats[1].clone()
            count = int((floats[0] != 0).sum(1).max())
            called.weight, called.chosen = (part.clone() for part in floats[0].topk(count, dim=1))

    def given(_module: nn.Module, inputs: Any, named: Any) -> None:
        parts = [part.detach() for part in (*inputs[1:], *named.values()) if isinstance(part, Tensor)]
        chosen = next((part for part in parts if not part.is_floating_point()), None)
        if chosen is not None:
            weight = next((part for part in parts if part.is_floating_point() and part.shape == chosen.shape), None)
            called.chosen = chosen.clone()
            called.weight = None if weight is None else weight.float().clone()
        calls.append(Called(called.block, called.score, called.chosen, called.weight))

    def sorted_pairs(_module: nn.Module, _inputs: Any, output: Any) -> None:
        score, weight, chosen = sorted_by_expert(output)
        calls.append(Called(called.block, score.float(), chosen, weight.float()))

    if router is not None and reader_of(router) is sorted_by_expert:
        yield router.register_forward_hook(sorted_pairs)
        return
    if router is not None:
        yield router.register_forward_hook(scored)
    yield experts.register_forward_pre_hook(given, with_kwargs=True)


@torch.no_grad()
def write_truth(model: Any, ids: list[int], file: Path) -> None:
    """Write the log-probabilities [T, V], and for each call of experts its block, scores, choices and weights."""
    with watched(model) as calls:
        logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].float()
    if not calls:
        raise Unreadable("it has no module of experts that a router's choices are passed to")
    if any(call.chosen is None or call.weight is None or call.score is None for call in calls):
        raise Unreadable("its experts are not given choices and weights")
    tensors: dict[str, np.ndarray] = {"ids": np.array(ids), "log_prob": logits.log_softmax(-1).numpy()}
    for index, call in enumerate(calls):
        for name in ("score", "chosen", "weight"):
            tensors[f"{index:03}:{call.block}:{name}"] = getattr(call, name).numpy()
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, file)


@dataclass(frozen=True)
class Site:
    """A router's numbers, [T, N] or [T, k]."""

    path: str
    score: np.ndarray
    chosen: np.ndarray
    weight: np.ndarray
    ranked: np.ndarray
    """What the choice was made by."""


def read_truth(file: Path) -> tuple[np.ndarray, np.ndarray, list[Site]]:
    """Tokens [T], log-probabilities [T, V] and the sites, in the order of computation."""
    tensors = load_file(file)
    sites = []
    for key in sorted(name.removesuffix(":score") for name in tensors if name.endswith(":score")):
        score, chosen, weight = (tensors[f"{key}:{name}"] for name in ("score", "chosen", "weight"))
        sites.append(Site(key.split(":", 1)[1], score, chosen, weight, score))
    return tensors["ids"], tensors["log_prob"], sites
