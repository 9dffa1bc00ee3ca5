"""Routes what runs through a model, by hooks on its adapted layers.

Axes: M modules, T tokens, N experts.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gander_routing.errors import UserError
from gander_routing.pool import Expert, modules_of
from gander_routing.strategies import ROUTED, Strategy, affinities, choose, listed, scored_by, vectors_of

# One tensor for all modules, or one for each; each broadcasts to [T, N], with the tokens that the module sees.
Steering = Tensor | Sequence[Tensor]


class Router:
    """Routes one run with hooks on every adapted module, and records what they saw."""

    def __init__(
        self,
        model: nn.Module,
        experts: Sequence[Expert],
        strategy: Strategy,
        bias: Steering,
        fixed: Steering | None,
        whole: Expert | None = None,
    ) -> None:
        """``fixed`` is NaN where the router decides; ``whole`` is an adapter that every token goes through."""
        self.experts = experts
        self.strategy = strategy
        self.whole = whole
        self.modules = modules_of([*experts, *([whole] if whole else [])])
        self.bias, self.fixed = bias, fixed
        self.width = min(strategy.k, len(experts)) if strategy.name in ROUTED else 1
        for given in fixed if fixed is not None else ():
            if given.numel():
                self.width = max(self.width, int((given.nan_to_num() != 0).sum(-1).max()))
        self.seen: list[dict[str, Tensor]] = [{} for _ in self.modules]
        for module in self.modules:
            self.check(model, module.path)

    def check(self, model: nn.Module, path: str) -> None:
        """Refuse an adapter that was made for another base."""
        try:
            layer = model.get_submodule(path)
            weight = layer.weight
        except AttributeError:
            raise UserError(f"the base has no linear layer {path}") from None
        assert isinstance(weight, Tensor)
        # GPT-2's Conv1D is a linear layer that stores its weight transposed; PEFT's matrices are the same for both.
        d_out, d_in = weight.shape if isinstance(layer, nn.Linear) else weight.T.shape
        for expert in [*self.experts, *([self.whole] if self.whole else [])]:
            lora = expert.lora.get(path)
            if lora and (lora.a.shape[1], lora.b.shape[0]) != (d_in, d_out):
                made = f"{lora.a.shape[1]} → {lora.b.shape[0]}"
                raise UserError(f"expert {expert.id}: {path} is {made} in the adapter, {d_in} → {d_out} in the base")

    def part(self, steering: Steering, module: int, tokens: int) -> Tensor:
        """The part of ``steering`` for one module, [T, N]."""
        row = steering[module if len(steering) > 1 else 0]
        return row.expand(tokens, len(self.experts))

    def score(self, path: str, u: Tensor) -> Tensor:
        """Affinities [T, N] at a module; NaN for an expert without a vector there."""
        by = scored_by(self.strategy.name, self.experts)
        vectors = [vectors_of(expert, by).get(path) for expert in self.experts]
        known = [vector for vector in vectors if vector is not None]
        scores = torch.full((u.shape[0], len(vectors)), math.nan, device=u.device)
        if known:
            present = torch.tensor([vector is not None for vector in vectors], device=u.device)
            scores[:, present] = affinities(u, torch.stack(known).to(u.device), by)
        return scores

    def decide(self, module: int, affinity: Tensor) -> tuple[Tensor, Tensor]:
        """Experts [T, width] and weights [T, width] for one module's affinities [T, N]."""
        tokens = affinity.shape[0]
        path = self.modules[module].path
        absent = torch.tensor([path not in expert.lora for expert in self.experts], device=affinity.device)
        bias = self.part(self.bias, module, tokens).to(affinity)
        out = absent | (bias == -math.inf)
        scores = (affinity + bias).masked_fill(out | affinity.isnan(), -math.inf)
        chosen, weight = choose(scores, min(self.strategy.k, len(self.experts)), self.strategy.epsilon)
        missing = self.width - chosen.shape[1]
        chosen = functional.pad(chosen, (0, missing), value=-1)[:, : self.width]
        weight = functional.pad(weight, (0, missing))[:, : self.width]
        if self.fixed is None:
            return chosen, weight
        fixed = self.part(self.fixed, module, tokens).to(affinity)
        given = ~fixed.isnan().any(-1, keepdim=True)
        experts, weights = listed(fixed.nan_to_num().masked_fill(out, 0), self.width)
        return experts.where(given, chosen), weights.where(given, weight)

    def hook(self, index: int, module: nn.Module, u: Tensor, out: Tensor) -> Tensor:
        """The routed output, shaped as ``out``, for input u [1, T, d_in] and the base's output.

        Some models, such as OPT, pass tokens to a layer as [T, d_in].
        """
        u, base = u.reshape(-1, u.shape[-1]), out.reshape(-1, out.shape[-1])
        affinity = self.score(self.modules[index].path, u)
        chosen, weight = self.decide(index, affinity)
        bias = getattr(module, "bias", None)
        plain = base if bias is None else base - bias
        length = plain.float().norm(dim=-1)
        contribution = torch.zeros_like(weight)
        result = base.clone()
        for expert, column in enumerate(self.experts):
            rows, slots = (chosen == expert).nonzero(as_tuple=True)
            if len(rows):
                delta = weight[rows, slots, None].to(u) * column.lora[self.modules[index].path].delta(u[rows])
                result[rows] += delta
                contribution[rows, slots] = (delta.float().norm(dim=-1) / length[rows]).nan_to_num(0, 0)
        if self.whole and self.modules[index].path in self.whole.lora:
            result += self.whole.lora[self.modules[index].path].delta(u)
        self.seen[index] = {
            "affinity": affinity,
            "chosen": chosen.to(torch.int16),
            "weight": weight,
            "contribution": contribution,
        }
        return result.reshape(out.shape)

    @contextlib.contextmanager
    def installed(self, model: nn.Module) -> Iterator[None]:
        """Route everything that runs through ``model`` inside this context."""

        def bound(index: int) -> Any:
            return lambda module, inputs, out: self.hook(index, module, inputs[0], out)

        handles = [
            model.get_submodule(module.path).register_forward_hook(bound(index))
            for index, module in enumerate(self.modules)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def stacked(self, name: str) -> Tensor:
        """A recorded column of all modules, [M, T, …]."""
        return torch.stack([seen[name] for seen in self.seen]).cpu()
