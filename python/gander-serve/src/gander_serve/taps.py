"""Observes and steers routers of mixtures of experts while transformers' own code runs.

Nothing is computed twice: scores are the output of the router's linear layer, choices what it picked, weights what it
returned. A router is known by its place, beside the experts in a block, and by what it returns, not by its name. Newer
code (transformers 5) returns scores, weights and choices. Older code returns less, or has only a linear layer there, and
the block makes the choice. What happens inside is seen by following torch's calls while the module runs.
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
SCALING = (torch.mul, Tensor.mul, torch.div, Tensor.div)
BESIDE = ("gate", "router")
"""Names of routers beside a module ``experts``."""
GATING = "topkgating"
"""Part of the class name of routers whose experts have other names (JetMoE, and Granite in transformers 4)."""
SHARED = ("shared_experts", "shared_expert", "shared_mlp")
"""Names of shared experts, in the block or next to it."""


@dataclass
class Tap:
    """One router. Its tensors come from the last pass: [T, N] or [T, k]."""

    path: str
    gate: nn.Module
    """The module that scores, and usually chooses, too; otherwise the block around it does."""
    block: nn.Module
    """The module that contains its experts."""
    shared: nn.Module | None
    """Its shared experts."""
    rows: int
    """Rows of its linear layer: one for each expert; some routers also score the shared experts, after these."""
    experts: int
    runs: int = 0
    """How often it ran in the last pass."""
    bias: Tensor | None = None
    """Logit bias of the what-ifs, [T or 1, N]."""
    orders: bool = False
    """Whether a correction bias or a limit to groups makes it rank experts differently from the scores."""
    scoring: Scoring | None = None
    """The first function that was applied to the scores."""
    raw: Tensor | None = None
    logits: Tensor | None = None
    """What the linear layer gave, as it was and as the router uses it."""
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
        self.raw = self.logits = self.score = self.steered = self.compared = self.chosen = self.weight = None

    def scored(self, raw: Tensor) -> Tensor:
        """Records the router's raw scores […, rows]; returns the scores that it must use instead."""
        self.raw = raw
        rows = raw.flatten(0, -2)
        self.score = rows[:, : self.experts].detach().clone()
        if self.bias is not None:
            # At most half the type's range, so that the sum stays finite: softmax of an infinite score is NaN.
            bias = self.bias.clamp(max=torch.finfo(raw.dtype).max / 2).to(raw)
            rows = rows + nn.functional.pad(bias, (0, self.rows - self.experts))
        self.steered = rows[:, : self.experts].detach().clone()
        self.logits = rows.view_as(raw)
        return self.logits

    def returned(self, output: Any) -> Any:
        """Records a router module's output; returns the output to use instead."""
        if not isinstance(output, tuple) or self.score is None:
            return output
        parts = [part if isinstance(part, Tensor) and part.dim() == 2 else None for part in output]
        floats = [part is not None and part.is_floating_point() for part in parts]
        choice = next((i for i, part in enumerate(parts) if part is not None and not floats[i]), None)
        if choice is None:
            # Llama 4 returns weights of all experts, 0 for those that were not chosen, and logits.
            spread = parts[0]
            if self.chosen is not None and spread is not None and floats[0] and spread.shape == self.score.shape:
                self.weight = spread.gather(1, self.chosen).detach().clone()
            return output
        chosen = parts[choice]
        assert chosen is not None
        if choice > 1 and floats[0] and parts[0].shape[1] < self.experts:  # type: ignore[union-attr]
            # The logits that it returns are of its experts alone; ``narrowed`` asks for another pass.
            self.experts = parts[0].shape[1]  # type: ignore[union-attr]
        # Weights come before the choices, after any logits; older code returns them last.
        others = [i for i in (*range(choice - 1, -1, -1), *range(choice + 1, len(parts))) if floats[i]]
        own = next((i for i in others if parts[i].shape == chosen.shape), None)
        self.chosen = chosen.detach().clone()
        if own is None:
            spread = next((parts[i] for i in others if parts[i].shape == self.score.shape), None)
            self.weight = None if spread is None else spread.gather(1, chosen).detach().clone()
            return output
        weight = parts[own]
        assert weight is not None
        self.weight = weight.detach().clone()
        if self.out is None:
            return output
        gone = self.out.to(chosen.device).expand(len(chosen), -1).gather(1, chosen)
        # A sparse mixer gives weight to a knocked-out expert if no other remains; that weight must be 0.
        return tuple(part.masked_fill(gone, 0) if i == own else part for i, part in enumerate(output))


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
        if function is nn.functional.linear and tap.score is None and len(args[1]) == tap.rows:
            return tap.scored(function(*args, **kwargs))
        if function in SCALING and tap.raw is not None and args[0] is tap.logits and isinstance(args[1], int | float):
            # Logits that the model itself scales, as Muse Spark does, are those that it has scaled.
            return tap.scored(function(tap.raw, args[1]))
        if function in SCORING and tap.scoring is None and tap.score is not None:
            # The scoring covers all experts or only the chosen; either way it has a row for each token.
            tap.scoring = SCORING[function] if args[0].shape[:-1].numel() == len(tap.score) else None
        if function in PICKING and tap.score is not None and args[0].flatten(0, -2).shape == tap.score.shape:
            return self.pick(tap, function, args, kwargs)
        return function(*args, **kwargs)

    def pick(self, tap: Tap, function: Any, args: Any, kwargs: Any) -> Any:
        compared, out = args[0], tap.out
        if out is not None and tap.orders:
            # A correction bias may bring knocked-out experts back, and a limit to groups may exclude all that remain.
            out = out.to(compared.device).expand(compared.flatten(0, -2).shape).view_as(compared)
            compared = compared.masked_fill(out, -torch.inf)
            nobody = (compared == -torch.inf).all(-1, keepdim=True)
            compared = compared.masked_fill(nobody & ~out, 0)
        result = function(compared, *args[1:], **kwargs)
        tap.compared, tap.chosen = (part.flatten(0, -2).detach().clone() for part in (compared, result[1]))
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
        for tap in self.routers:
            tap.runs = 0
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
            tap.runs += 1
            self.watch.tap = tap

        def after(_module: nn.Module, _inputs: Any, output: Any) -> Any:
            output = tap.returned(output)
            if tap.chosen is not None:
                self.watch.tap = None
            return output

        def done(*_: Any) -> None:
            self.watch.tap = None

        hooks = [
            tap.gate.register_forward_pre_hook(before),
            tap.gate.register_forward_hook(after),
            tap.block.register_forward_hook(done),
        ]
        return hooks + self._weighed(tap) + self._shared(tap)

    def _weighed(self, tap: Tap) -> list[Any]:
        """Hooks that record weights that the block computes and passes to its experts."""
        experts = getattr(tap.block, "experts", None)
        if not isinstance(experts, nn.Module) or isinstance(experts, nn.ModuleList):
            return []

        def given(_module: nn.Module, inputs: Any) -> None:
            for one in inputs if tap.weight is None else ():
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

        def given(_module: nn.Module, inputs: Any, named: Any, output: Tensor) -> None:
            weights = [one for one in (*inputs[1:], *named.values()) if isinstance(one, Tensor)]
            tokens = output.flatten(0, -2).shape[0]
            tap.always_on = weights[0].detach().view(tokens, -1).float() if weights else torch.ones(tokens, 1)

        return [tap.shared.register_forward_hook(given, with_kwargs=True)]

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

    def narrowed(self) -> bool:
        """Whether a router turned out to have fewer experts than its linear layer has rows, after that was recorded."""
        return any(tap.score is not None and tap.score.shape[1] > tap.experts for tap in self.routers)

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
    beside = getattr(block, "experts", None)
    is_linear = type(module).forward is nn.Linear.forward
    if is_linear:
        # The experts of newer code are one module, and their router chooses.
        is_router = isinstance(beside, nn.ModuleList) and len(beside) == len(module.weight)  # type: ignore[arg-type]
    else:
        is_router = isinstance(beside, nn.Module)
    if not (name in BESIDE and is_router or GATING in type(module).__name__.lower()):
        return None
    rows = _rows_of(module)
    shared = _shared_of(block, model.get_submodule(block_path.rpartition(".")[0]))
    return Tap(path, module, block, shared, rows, rows) if rows else None


def _rows_of(router: nn.Module) -> int:
    """Rows of the matrix that scores the experts: the router's own, or that of its last linear layer."""
    own = getattr(router, "weight", None)
    if isinstance(own, Tensor) and own.dim() == 2:
        return len(own)
    return next((one.out_features for one in reversed(list(router.modules())) if isinstance(one, nn.Linear)), 0)


def _shared_of(*around: nn.Module) -> nn.Module | None:
    found = (getattr(place, name, None) for place in around for name in SHARED)
    return next((one for one in found if isinstance(one, nn.Module)), None)
