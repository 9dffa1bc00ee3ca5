"""Observes and steers routers of mixtures of experts while transformers' own code runs.

Nothing is computed twice: scores are the output of the router's linear layer, choices what it picked, weights what it
returned. Two forms of code are known. Newer code (transformers 5) has a module for each router, which returns all
three. Older code has some such modules, which return less, and otherwise a linear layer ``gate`` next to the experts
in a block, which makes the choice. What happens inside is seen by following torch's calls while the module runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from gander_trace.errors import TraceError
from gander_trace.routers import Decision, shares
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gander_serve.whatif import NEVER

Scoring = Literal["softmax", "sigmoid"]
PICKING = (torch.topk, Tensor.topk)
SCORING: Mapping[Any, Scoring] = {
    **dict.fromkeys((torch.softmax, Tensor.softmax, nn.functional.softmax), "softmax"),
    **dict.fromkeys((torch.sigmoid, Tensor.sigmoid, nn.functional.sigmoid), "sigmoid"),
}
ROUTERS = ("topkrouter", "topkgating", "tokenchoicerouter", "moev1gate", "llama4router", "dbrxrouter")
"""Parts of the class names of routers."""
SHARED = ("shared_experts", "shared_expert", "shared_mlp")
"""Names of shared experts, in the block or next to it."""


@dataclass
class Tap:
    """One router. Its tensors come from the last pass: [T, N] or [T, k]."""

    path: str
    scope: nn.Module
    """The module that chooses: the router itself, or the block around it."""
    gate: nn.Module
    """The module whose output is the scores; the same as ``scope`` if the router is a module that chooses."""
    block: nn.Module
    """The module that contains its experts."""
    shared: nn.Module | None
    """Its shared experts."""
    experts: int
    bias: Tensor | None = None
    """Logit bias of the what-ifs, [T or 1, N]."""
    orders: bool = False
    """Whether a correction bias or a limit to groups makes it rank experts differently from the scores."""
    scoring: Scoring | None = None
    """The first function that was applied to the scores."""
    score: Tensor | None = None
    steered: Tensor | None = None
    """The scores with the bias added, [T, N]."""
    compared: Tensor | None = None
    chosen: Tensor | None = None
    weight: Tensor | None = None
    always_on: Tensor | None = None

    @property
    def layer(self) -> int:
        """The first number in the path."""
        return next((int(part) for part in self.path.split(".") if part.isdigit()), 0)

    @property
    def out(self) -> Tensor | None:
        """Which experts are knocked out, [T or 1, N]."""
        return None if self.bias is None else self.bias <= NEVER

    def forget(self) -> None:
        """Clears the last pass, except for shared experts: they may already have run in this one."""
        self.score = self.steered = self.compared = self.chosen = self.weight = None

    def scored(self, raw: Tensor) -> Tensor:
        """Records the router's raw scores [T, N]; returns the scores that it must use instead."""
        self.score = raw.detach().clone()
        # At most half the type's range, so that the sum stays finite: softmax of an infinite score is NaN.
        most = torch.finfo(raw.dtype).max / 2
        steered = raw if self.bias is None else raw + self.bias.clamp(max=most).to(raw)
        self.steered = steered.detach().clone()
        return steered

    def returned(self, output: Any) -> Any:
        """Records a router module's output; returns the output to use instead."""
        if not isinstance(output, tuple):
            return output
        if len(output) == 3:
            weight, chosen = output[1], output[2]
        elif len(output) == 2:
            weight, chosen = output if output[0].is_floating_point() else output[::-1]
        else:  # choices are sorted by expert; only Watch can see them in order
            return output
        if self.score is None or chosen.dim() != 2:
            return output
        if chosen.is_floating_point():
            # Here ``chosen`` holds logits, and ``weight`` is 0 for experts that were not chosen.
            if self.chosen is not None and weight.shape == self.score.shape:
                self.weight = weight.gather(1, self.chosen).detach().clone()
            return output
        self.chosen = chosen.detach().clone()
        spread = weight.shape != chosen.shape
        self.weight = (weight.gather(1, chosen) if spread else weight).detach().clone()
        out = self.out
        if out is None or spread:
            return output
        gone = out.to(chosen.device).expand(len(chosen), -1).gather(1, chosen)
        # A sparse mixer gives weight to a knocked-out expert if no other remains; that weight must be 0.
        return tuple(part.masked_fill(gone, 0) if part is weight else part for part in output)


class Watch(TorchFunctionMode):
    """Follows torch's calls while a router chooses."""

    def __init__(self) -> None:
        super().__init__()
        self.tap: Tap | None = None

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tap = self.tap
        if tap is None:
            return function(*args, **kwargs)
        if function is nn.functional.linear and tap.score is None and len(args[1]) == tap.experts:
            raw = function(*args, **kwargs)
            return tap.scored(raw)
        if function in SCORING and tap.scoring is None and tap.score is not None:
            # The scoring covers all experts or only the chosen; either way it has a row for each token.
            tap.scoring = SCORING[function] if args[0].shape[:1] == tap.score.shape[:1] else None
        if function in PICKING and tap.score is not None and args[0].shape == tap.score.shape:
            return self.pick(tap, function, args, kwargs)
        return function(*args, **kwargs)

    def pick(self, tap: Tap, function: Any, args: Any, kwargs: Any) -> Any:
        compared, out = args[0], tap.out
        if out is not None and tap.orders:
            # A correction bias may bring knocked-out experts back, and a limit to groups may exclude all that remain.
            out = out.to(compared.device).expand(compared.shape)
            compared = compared.masked_fill(out, -torch.inf)
            nobody = (compared == -torch.inf).all(-1, keepdim=True)
            compared = compared.masked_fill(nobody & ~out, 0)
        result = function(compared, *args[1:], **kwargs)
        tap.compared, tap.chosen = compared.detach().clone(), result[1].detach().clone()
        return result


@dataclass
class Taps:
    """All routers of a model, by layer. ``weigh`` computes weights from scores if the code does not return them."""

    routers: list[Tap]
    weigh: Callable[[Tensor, Tensor], Tensor] | None
    watch: Watch = field(default_factory=Watch)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Steers and records what runs through the model inside this context."""
        handles = [handle for tap in self.routers for handle in self._hooks(tap)]
        try:
            with self.watch:
                yield
        finally:
            self.watch.tap = None
            for handle in handles:
                handle.remove()

    def _hooks(self, tap: Tap) -> list[Any]:
        def before(*_: Any) -> None:
            tap.forget()
            self.watch.tap = tap

        def after(_module: nn.Module, _inputs: Any, output: Any) -> Any:
            self.watch.tap = None
            if tap.scope is tap.gate:
                output = tap.returned(output)
            return output

        hooks = [tap.scope.register_forward_pre_hook(before), tap.scope.register_forward_hook(after)]
        return hooks + self._weighed(tap) + self._shared(tap)

    def _weighed(self, tap: Tap) -> list[Any]:
        """Hooks that record weights that the block computes and passes to its experts."""
        experts = getattr(tap.block, "experts", None)
        if tap.scope is tap.gate or not isinstance(experts, nn.Module) or isinstance(experts, nn.ModuleList):
            return []

        def given(_module: nn.Module, inputs: Any) -> None:
            for one in inputs:
                if tap.chosen is not None and isinstance(one, Tensor) and one.is_floating_point():
                    if one.shape == tap.chosen.shape:
                        tap.weight = one.detach().clone()

        return [experts.register_forward_pre_hook(given)]

    def _shared(self, tap: Tap) -> list[Any]:
        gate = getattr(tap.block, "shared_expert_gate", None)
        if isinstance(gate, nn.Module):

            def gated(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
                tap.always_on = output.detach().flatten(0, -2).float().sigmoid()

            return [gate.register_forward_hook(gated)]
        if tap.shared is None:
            return []

        def ones(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            tap.always_on = torch.ones(output.flatten(0, -2).shape[0], 1)

        return [tap.shared.register_forward_hook(ones)]

    def settle(self) -> None:
        """Finishes a pass: sorts choices best first, computes missing weights, removes knocked-out experts."""
        for tap in self.routers:
            if tap.steered is None or tap.chosen is None:
                continue
            scores = tap.steered.float()
            ranked = tap.compared.float() if tap.orders and tap.compared is not None else scores
            order = ranked.gather(1, tap.chosen).argsort(dim=1, descending=True, stable=True)
            tap.chosen = tap.chosen.gather(1, order)
            if tap.weight is not None:
                tap.weight = tap.weight.float().gather(1, order)
            elif self.weigh is not None:
                tap.weight = self.weigh(scores.cpu(), tap.chosen.cpu())
            if tap.out is not None:
                out = tap.out.to(tap.chosen.device).expand(len(tap.chosen), -1).gather(1, tap.chosen)
                tap.chosen = tap.chosen.masked_fill(out, -1)
                if tap.weight is not None:
                    tap.weight = tap.weight.masked_fill(out.to(tap.weight.device), 0)

    def learn(self) -> None:
        """Sets ``orders`` from a pass without what-ifs; if it holds for one router, it holds for all."""
        telling = [tap for tap in self.routers if tap.score is not None and tap.compared is not None]
        orders = any(ranks_otherwise(tap.compared.float(), tap.score.float()) for tap in telling)  # type: ignore[union-attr]
        for tap in telling:
            tap.orders = orders


def ranks_otherwise(compared: Tensor, score: Tensor) -> bool:
    """Whether ``compared`` ranks some expert above one with a higher score."""
    order = score.argsort(dim=1, descending=True, stable=True)
    ranked = compared.gather(1, order)
    return bool((ranked[:, 1:] > ranked[:, :-1]).any())


def taps_of(model: nn.Module, config: Any) -> Taps:
    """The routers of a model; a dense one has none."""
    found = [tap for path, module in model.named_modules() if (tap := _tap(model, path, module)) is not None]
    return Taps(sorted(found, key=lambda tap: tap.layer), weighing(config))


def weighing(config: Any) -> Callable[[Tensor, Tensor], Tensor] | None:
    """The function from router logits to weights, if it is known for this kind of model."""
    try:
        renormalised = Decision.of(config).renormalised
    except TraceError:
        return None
    return lambda scores, chosen: torch.from_numpy(shares(scores.numpy(), chosen.numpy(), renormalised))


def _tap(model: nn.Module, path: str, module: nn.Module) -> Tap | None:
    block_path, _, name = path.rpartition(".")
    block = model.get_submodule(block_path)
    kind = type(module).__name__.lower()
    shared = _shared_of(block, model.get_submodule(block_path.rpartition(".")[0]))
    if any(one in kind for one in ROUTERS):
        weight = getattr(module, "weight", None)
        inner = next((one for one in module.modules() if isinstance(one, nn.Linear)), None)
        experts = len(weight) if isinstance(weight, Tensor) and weight.dim() == 2 else getattr(inner, "out_features", 0)
        if not experts:
            return None
        # Some routers only score; then the block around them chooses.
        chooses = "topk" in kind or hasattr(module, "top_k") or hasattr(module, "moe_top_k")
        return Tap(path, module if chooses else block, module, block, shared, experts)
    beside = getattr(block, "experts", None)
    is_gate = name in ("gate", "router") and isinstance(module, nn.Linear)
    if is_gate and isinstance(beside, nn.ModuleList) and len(beside) == module.out_features:
        return Tap(path, block, module, block, shared, len(beside))
    return None


def _shared_of(*around: nn.Module) -> nn.Module | None:
    found = (getattr(place, name, None) for place in around for name in SHARED)
    return next((one for one in found if isinstance(one, nn.Module)), None)
