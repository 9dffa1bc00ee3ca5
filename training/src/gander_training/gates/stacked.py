"""X-LoRA's adapters as one product per module, which is what makes training a classifier quick; PEFT computes them in turn.

Adapter i of a module adds w αᵢ/rᵢ Bᵢ Aᵢ (sᵢ x), with a scaling sᵢ for each token (arXiv:2402.07148) and PEFT's global weight w. A scaling
is one number per token, so it may come after Aᵢ, and all N adapters, with R ranks in all, are

    y = base(x) + ((x Aᵀ) ∘ (s E)) Bᵀ        A [R, d_in], B [d_out, R], s [tokens, N], E [N, R]

where E has w αᵢ/rᵢ at adapter i's ranks and 0 elsewhere.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from typing import Any

import torch
from gander_routing.errors import UserError
from torch import Tensor, nn

# The root mean square of differences of logits, as a share of the logits' own, that float arithmetic in another order explains:
# on the shipped pool 1e-6 and, in bfloat16, 0.03, which is more than one of its twelve adapters does.
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.05}


class Scalings:
    """Each module's scalings, [tokens, N], of one tensor for all: kept as PEFT does it, but for all modules at once."""

    def __init__(self, layer: Any) -> None:
        from peft.tuners.xlora.layer import XLoraLayer

        # PEFT indexes the modules by this number, and what it does then is over the last axis.
        self.whole = XLoraLayer(layer.model, layer.target, layer.target_forward, slice(None), layer.config)  # type: ignore[arg-type]
        self.scalings: Tensor | None = None
        self.modules: tuple[Tensor, ...] = ()

    def of(self, scalings: Tensor, module: int) -> Tensor:
        """``scalings``: [n, length, modules, N]."""
        if scalings is not self.scalings:
            self.scalings = scalings
            # Taken apart once: the gradient of an index is as large as what was indexed, once for every module.
            self.modules = self.whole.get_maybe_topk_scalings(scalings).flatten(0, 1).unbind(1)
        return self.modules[module]


class StackedLinear:
    """The forward pass of one module, in place of that of PEFT's ``XLoraLinearLayer``, which is ``layer``."""

    def __init__(self, layer: Any, scalings: Scalings) -> None:
        self.layer, self.scalings = layer, scalings
        target, weight = layer.target, layer.config.global_scaling_weight
        # An adapter's place among the active ones is its class, whether or not it adapts this module.
        adapters = [(place, name) for place, name in enumerate(target.active_adapters) if name in target.lora_A]
        downs = [target.lora_A[name].weight.detach() for _, name in adapters]
        self.down = torch.cat(downs)
        self.up = torch.cat([target.lora_B[name].weight.detach() for _, name in adapters], 1)
        self.spread = self.down.new_zeros(len(target.active_adapters), len(self.down))
        start = 0
        for (place, name), down in zip(adapters, downs, strict=True):
            self.spread[place, start : start + len(down)] = target.scaling[name] * weight
            start += len(down)

    def forward(self, x: Tensor, *args: Any, scalings: Tensor | None = None, **kwargs: Any) -> Tensor:
        """[n, length, d_in] to [n, length, d_out], with ``scalings`` [n, length, modules, N]."""
        layer = self.layer
        if scalings is None or layer.adapters_disabled:
            return layer.forward(x, *args, scalings=scalings, **kwargs)  # type: ignore[no-any-return]
        rows = x.flatten(0, 1)
        ranks = (rows @ self.down.T) * (self.scalings.of(scalings, layer.layer_number) @ self.spread)
        # The base's output is this module's own, as for PEFT, which adds to it, too.
        result = layer.target.base_layer(rows, *args, **kwargs).addmm_(ranks, self.up.T)
        return result.unflatten(0, x.shape[:2])  # type: ignore[no-any-return]


def obstacle(layer: Any, dtype: torch.dtype) -> str | None:
    """Why PEFT has to compute a module itself, or nothing."""
    from peft.tuners.xlora.layer import XLoraLinearLayer

    if not isinstance(layer, XLoraLinearLayer):
        return "is not a linear layer of X-LoRA"
    target: Any = layer.target
    names = [name for name in target.active_adapters if name in target.lora_A]
    if not names or target.merged:
        return "has no adapter of its own"
    if any(target.use_dora[name] for name in names):
        return "has DoRA"
    if any(target.lora_B[name].bias is not None for name in names):
        return "has an adapter with a bias"
    if any(part[name].weight.dtype != dtype for name in names for part in (target.lora_A, target.lora_B)):
        return f"has an adapter that is not in {dtype}"
    if any(not isinstance(target.lora_dropout[name], nn.Identity) and target.training for name in names):
        return "has dropout in its adapters"
    return None


class Stacked:
    """PEFT's X-LoRA model, quicker while this context is entered, and afterwards as it was. Adapters must be frozen.

    Both passes, the hooks between them and the classifier stay PEFT's. Replaced are the forward passes of its scaled
    modules; those that cannot be are in ``left``, with the reason. The head is left out of the first pass but for one token.
    """

    def __init__(self, peft: Any) -> None:
        from peft.tuners.lora.layer import LoraLayer

        self.model = peft.base_model.lora_model.model
        self.left: dict[str, str] = {}
        self.forwards: list[tuple[nn.Module, Callable[..., Any]]] = []
        dtype = next(peft.base_model.internal_xlora_classifier.parameters()).dtype
        shared: Scalings | None = None
        adapted: list[tuple[str, Any]] = [(n, m) for n, m in self.model.named_modules() if isinstance(m, LoraLayer)]
        for name, module in adapted:
            layer = getattr(module.forward, "__self__", None)
            if (reason := obstacle(layer, dtype)) is not None:
                self.left[name] = reason
                continue
            shared = shared or Scalings(layer)
            self.forwards.append((module, StackedLinear(layer, shared).forward))
        own = self.model.forward
        if "logits_to_keep" in inspect.signature(own).parameters:
            self.forwards.append((self.model, _without_head(own)))

    def __enter__(self) -> Stacked:
        with contextlib.ExitStack() as stack:
            for module, forward in self.forwards:
                stack.callback(_put, module, module.__dict__.get("forward"))
                _put(module, forward)
            self._undo = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()


def _put(module: nn.Module, forward: Callable[..., Any] | None) -> None:
    """Set a module's own ``forward``, or leave it to its class."""
    if forward is None:
        del module.forward
    else:
        module.forward = forward


def _without_head(forward: Callable[..., Any]) -> Callable[..., Any]:
    """PEFT's first pass, which alone asks for hidden states, reads nothing else: one token's logits are the fewest."""

    def first(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("output_hidden_states"):
            kwargs["logits_to_keep"] = 1
        return forward(*args, **kwargs)

    return first


@torch.no_grad()
def check_stacked(where: object, peft: Any, stacked: Stacked, rows: Tensor) -> float:
    """How far the logits of ``rows`` [n, length] are from PEFT's own: root mean square of the differences, as a share of the logits'.

    Raises ``UserError`` with ``where`` for a name if that is more than rounding. The classifier must be in eval mode.
    """
    wanted = peft(input_ids=rows, use_cache=False).logits.float()
    with stacked:
        given = peft(input_ids=rows, use_cache=False).logits
    # Not the largest: of three million logits in bfloat16, one is always far off.
    difference = ((given.float() - wanted).norm() / wanted.norm()).item()
    if not difference <= TOLERANCE[given.dtype]:
        raise UserError(
            f"{where}: all adapters at once differ from PEFT's one by one ({difference:.2g} of the logits' size)"
        )
    return difference
