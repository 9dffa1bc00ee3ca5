"""Routes an encoder-decoder: the hooks of ``router``, over an input and an output that differ in length.

The encoder's modules see the input's tokens, as do the modules that make the cross-attention's keys and values from the
encoder's result. The decoder's other modules see the output's tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gander_routing.pool import Expert, Module, modules_of
from gander_routing.router import Router
from gander_routing.strategies import Strategy, fixed_weights, whole_adapter
from gander_routing.whatif import Intervention, apply_interventions


@dataclass
class PairResult:
    """The results of one run."""

    modules: list[Module]
    experts: list[str]
    # One per module, in that order: affinity [T, N]; chosen, weight, contribution [T, k]; T of the module's sequence.
    seen: list[dict[str, Tensor]]
    logits: Tensor  # [T of the output, V] F32, after each of the output's tokens


def steering(
    strategy: Strategy,
    interventions: Sequence[Intervention],
    modules: Sequence[Module],
    experts: Sequence[Expert],
    lengths: tuple[int, int],
) -> tuple[list[Tensor], list[Tensor] | None]:
    """For each module, the bias on affinities and the weights that replace the router's: [T, N] of its sequence."""
    asked = [apply_interventions(interventions, modules, experts, tokens) for tokens in lengths]
    bias = [asked[module.sequence][0][index] for index, module in enumerate(modules)]
    fixed = [asked[module.sequence][1][index] for index, module in enumerate(modules)]
    given = fixed_weights(strategy, experts)
    if given is not None:
        return bias, [torch.where(row.isnan(), given[0], row) for row in fixed]
    return bias, fixed if interventions else None


@torch.no_grad()
def routed_pair(
    model: nn.Module,
    experts: Sequence[Expert],
    input_ids: Tensor,
    output_ids: Tensor,
    strategy: Strategy,
    *,
    multitask: Expert | None = None,
    interventions: Sequence[Intervention] = (),
) -> PairResult:
    """Run an input [T] and an output [T'] without padding. The output begins with the decoder's start token."""
    whole = whole_adapter(strategy, experts, multitask)
    modules = modules_of([*experts, *([whole] if whole else [])])
    bias, fixed = steering(strategy, interventions, modules, experts, (input_ids.numel(), output_ids.numel()))
    router = Router(model, experts, strategy, bias, fixed, whole)
    with router.installed(model):
        out = model(input_ids=input_ids.reshape(1, -1), decoder_input_ids=output_ids.reshape(1, -1), use_cache=False)
    return PairResult(router.modules, [expert.id for expert in experts], router.seen, out.logits[0].float())


@torch.no_grad()
def routed_generation(
    model: nn.Module,
    experts: Sequence[Expert],
    input_ids: Tensor,
    strategy: Strategy,
    *,
    multitask: Expert | None = None,
    length: int = 20,
) -> list[int]:
    """Generate an output greedily, at most ``length`` tokens; it begins with the decoder's start token."""
    zero = torch.zeros(1, 1, len(experts))
    whole = whole_adapter(strategy, experts, multitask)
    with Router(model, experts, strategy, zero, fixed_weights(strategy, experts), whole).installed(model):
        ids = model.generate(  # type: ignore[operator]
            input_ids.reshape(1, -1), max_length=length, do_sample=False, num_beams=1
        )
    return [int(token) for token in ids[0]]
