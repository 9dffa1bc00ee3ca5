"""Golden traces of mixtures of experts: what transformers' own forward pass computes, read from its routers with hooks.

Nothing is computed twice: scores, choices and weights are what the model's router returns; a selection score is what it
passed to ``topk``. It needs a version of transformers whose routers return all three (5 and later).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from gander_routing.errors import UserError
from gander_routing.files import read_json
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gander_training.reference.trace import CREATED, file_hash
from gander_training.texts.tokens import Encoded, encode, readable

PREDICTIONS = 5


class TopKInputs(TorchFunctionMode):
    """Records the last input of ``topk``."""

    def __init__(self) -> None:
        super().__init__()
        self.last: Tensor | None = None

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in (torch.topk, torch.Tensor.topk):
            self.last = args[0].detach().clone()
        return function(*args, **(kwargs or {}))


@dataclass
class Routed:
    """One router's results, [T, N] or [T, k]."""

    path: str
    score: Tensor = field(default_factory=lambda: torch.zeros(0))
    selection: Tensor | None = None
    chosen: Tensor = field(default_factory=lambda: torch.zeros(0))
    weight: Tensor = field(default_factory=lambda: torch.zeros(0))
    always_on: Tensor | None = None

    @property
    def layer(self) -> int:
        """The first number in the path."""
        return next(int(part) for part in self.path.split(".") if part.isdigit())


def routers(model: nn.Module) -> dict[str, nn.Module]:
    """The modules that choose, by path."""
    found = {name: module for name, module in model.named_modules() if reader_of(module)}
    if not found:
        raise UserError(f"{type(model).__name__}: no routers found (a mixture of experts, in transformers 5?)")
    return found


def reader_of(module: nn.Module) -> Callable[[Any], tuple[Tensor, Tensor, Tensor]] | None:
    """A function that reads scores, weights and choices from a module's output, if it is a known router."""
    name = type(module).__name__.lower()
    if "topkrouter" in name:
        return as_returned
    return sorted_by_expert if name == "jetmoetopkgating" else None


def as_returned(output: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Scores, weights and choices, one row per token."""
    score, weight, chosen = (tensor.detach().flatten(0, -2).clone() for tensor in output)
    return score, weight, chosen


def sorted_by_expert(output: tuple[Tensor, Tensor, Tensor, list[int], Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """As ``as_returned``, for JetMoE, which returns pairs of token and expert sorted by expert."""
    order, _tokens, gates, sizes, score = output
    experts = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    rows = (len(score), -1)
    weight, chosen = torch.empty_like(gates), torch.empty_like(experts)
    weight[order], chosen[order] = gates.detach(), experts
    return score.detach().clone(), weight.view(rows), chosen.view(rows)


def best_first(routed: Routed) -> None:
    """Sort the chosen by rank; a router's own order need not follow it, and means nothing."""
    ranked = routed.score if routed.selection is None else routed.selection
    order = ranked.gather(1, routed.chosen).argsort(dim=1, descending=True, stable=True)
    routed.chosen, routed.weight = routed.chosen.gather(1, order), routed.weight.gather(1, order)


def ranks_otherwise(selection: Tensor, score: Tensor) -> bool:
    """Whether what was compared ranks some expert differently from the raw score."""
    return not torch.equal(selection.argsort(dim=1, stable=True), score.argsort(dim=1, stable=True))


@contextmanager
def watched(model: nn.Module) -> Iterator[list[Routed]]:
    """In this context, a forward pass appends each router's results to the list, in the order of computation."""
    result: list[Routed] = []
    with ExitStack() as stack:
        for path, router in routers(model).items():
            routed = Routed(path)
            for handle in (
                *watch_router(router, routed, result),
                *watch_shared(model.get_submodule(parent(path)), routed),
            ):
                stack.callback(handle.remove)
        yield result


def parent(path: str) -> str:
    """The path of the module that contains the router."""
    return path.rpartition(".")[0]


def watch_router(router: nn.Module, routed: Routed, done: list[Routed]) -> list[Any]:
    """Hooks that read a router's scores, choices and weights, and then append it to ``done``."""
    inputs = TopKInputs()
    read = reader_of(router)
    assert read

    def before(*_: Any) -> None:
        inputs.last = None
        inputs.__enter__()

    def after(_module: nn.Module, _inputs: Any, output: Any) -> None:
        inputs.__exit__(None, None, None)
        score, weight, chosen = read(output)
        routed.score, routed.weight, routed.chosen = score.float(), weight.float(), chosen
        compared = inputs.last
        if compared is not None and compared.shape == score.shape and ranks_otherwise(compared, score):
            routed.selection = compared.float()
        best_first(routed)
        done.append(routed)

    return [router.register_forward_pre_hook(before), router.register_forward_hook(after)]


def watch_shared(block: nn.Module, routed: Routed) -> list[Any]:
    """Hooks that read the weight of the shared experts: that of their gate, or 1 without a gate."""
    gate = getattr(block, "shared_expert_gate", None)
    if isinstance(gate, nn.Module):

        def after(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            routed.always_on = output.detach().flatten(0, -2).float().sigmoid()

        return [gate.register_forward_hook(after)]
    shared = getattr(block, "shared_experts", None)
    if not isinstance(shared, nn.Module):
        return []

    def ones(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        routed.always_on = torch.ones(output.flatten(0, -2).shape[0], 1)

    return [shared.register_forward_hook(ones)]


def moe_tensors(model: Any, encoded: Encoded) -> tuple[dict[str, Tensor], list[Routed]]:
    """The tensors of a trace (docs/trace-format.md) with ``last_logits``, and each router's results."""
    ids = torch.tensor([encoded.ids])
    with torch.no_grad(), watched(model) as sites:
        logits = model(input_ids=ids, use_cache=False).logits[0].float()
    log_probs = logits.log_softmax(-1)
    top = log_probs.topk(PREDICTIONS, dim=-1)
    log_prob = torch.full((len(encoded.ids),), math.nan)
    log_prob[1:] = log_probs[:-1].gather(1, ids[0, 1:, None])[:, 0]
    start = torch.tensor(encoded.start, dtype=torch.int32)
    tensors = {
        "sequence.0.ids": ids[0].int(),
        "sequence.0.start": start,
        "sequence.0.end": torch.tensor(encoded.end, dtype=torch.int32),
        "sequence.0.special": (start < 0).to(torch.uint8),
        "sequence.0.log_prob": log_prob,
        "sequence.0.top_ids": top.indices.int(),
        "sequence.0.top_log_prob": top.values,
        "block.0.score": torch.stack([site.score for site in sites]),
        "block.0.chosen": torch.stack([site.chosen for site in sites]).to(torch.int16),
        "block.0.weight": torch.stack([site.weight for site in sites]),
        "last_logits": logits[-1],
    }
    selections = [site.selection for site in sites if site.selection is not None]
    always_on = [site.always_on for site in sites if site.always_on is not None]
    for name, values in (("selection", selections), ("always_on_weight", always_on)):
        if values:
            tensors[f"block.0.{name}"] = torch.stack(values)
    return tensors, sites


def moe_trace(model: Any, folder: Path, text: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The golden trace of ``text`` by ``model``, whose config and tokenizer are in ``folder``."""
    import transformers
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    encoded = encode(tokenizer, text)
    tensors, sites = moe_tensors(model, encoded)
    count, chosen = sites[0].score.shape[1], sites[0].chosen.shape[1]
    named = [{"id": str(index), "name": str(index)} for index in range(count)]
    shared = {"alwaysOn": [{"id": "shared", "name": "shared"}]} if sites[0].always_on is not None else {}
    header = {
        "format": "gander-trace",
        "version": 2,
        "source": {
            "kind": "moe",
            "name": folder.name,
            "tokenizer": file_hash(folder / "tokenizer.json"),
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        },
        "router": {"name": read_json(folder / "config.json")["model_type"], "k": chosen},
        "interventions": [],
        "sequences": [
            {
                "role": "text",
                "count": len(encoded.ids),
                "text": text,
                "tokens": encoded.tokens,
                "topTokens": [
                    [readable(tokenizer.id_to_token(i)) for i in row] for row in tensors["sequence.0.top_ids"].tolist()
                ],
            }
        ],
        "expertSets": [{"scope": "layer", "experts": named, **shared} for _ in sites],
        "sites": [
            {"path": site.path, "layer": site.layer, "kind": "router", "sequence": 0, "expertSet": index}
            for index, site in enumerate(sites)
        ],
        "blocks": [{"from": 0, "to": len(sites), "k": chosen}],
        "created": CREATED,
    }
    return tensors, header
