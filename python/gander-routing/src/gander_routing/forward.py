"""The reference forward pass of a routed model: transformers, PEFT's weights and forward hooks.

Slow and short on purpose, because the engine is checked against it.

Axes: M modules, T tokens, N experts, k chosen experts, P predictions, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gander_routing.errors import UserError
from gander_routing.pool import Expert, Module, modules_of
from gander_routing.router import Router
from gander_routing.strategies import Strategy, fixed_weights, whole_adapter
from gander_routing.whatif import Intervention, apply_interventions
from gander_routing.xlora import Classifier, ScaledRouter


@dataclass
class RoutedResult:
    """The results of one run. Tensors are on the CPU."""

    modules: list[Module]
    experts: list[str]
    affinity: Tensor  # [M, T, N] F32, before any bias; NaN where an expert has no vector, or no logit
    chosen: Tensor  # [M, T, k] I16, best first; −1 where fewer were chosen
    weight: Tensor  # [M, T, k] F32
    contribution: Tensor  # [M, T, k] F32, ‖w s B A u‖ ÷ ‖W u‖
    log_prob: Tensor  # [T] F32, natural; NaN for the first
    top_ids: Tensor  # [T, P] I32, the likeliest tokens after token t
    top_log_prob: Tensor  # [T, P] F32
    last_logits: Tensor  # [V] F32


@torch.no_grad()
def routed_forward(
    model: nn.Module,
    experts: Sequence[Expert],
    input_ids: Tensor,
    strategy: Strategy,
    *,
    multitask: Expert | None = None,
    classifier: Classifier | None = None,
    interventions: Sequence[Intervention] = (),
    bias: Tensor | None = None,
    fixed: Tensor | None = None,
    predictions: int = 5,
) -> RoutedResult:
    """Run one sequence through the routed model.

    ``input_ids`` is [T] or [1, T], without padding. ``bias`` [M or 1, T or 1, N] is added to the affinities before the
    choice, in place of the bias that ``interventions`` would add; ``fixed`` [M or 1, T or 1, N] gives the weights
    wherever it is not NaN, and the router gives the others. ``model`` is any transformers causal LM, of any data type
    and on any device; scores are F32. ``classifier`` is for x-lora, which runs the model twice.
    """
    ids = input_ids.reshape(1, -1)
    whole = whole_adapter(strategy, experts, multitask)
    everything = [*experts, *([whole] if whole else [])]
    is_scaled = strategy.name == "x-lora"
    of_strategy = None if is_scaled else fixed_weights(strategy, experts)
    if interventions:
        asked, forced = apply_interventions(interventions, modules_of(everything), experts, ids.shape[1])
        bias = asked if bias is None else bias
        fixed = forced if fixed is None else fixed
    if of_strategy is not None:
        fixed = of_strategy if fixed is None else torch.where(fixed.isnan(), of_strategy, fixed)
    router: Router
    if is_scaled:
        if classifier is None:
            raise UserError("the pool has no X-LoRA classifier")
        router = ScaledRouter(model, experts, classifier, bias, fixed)
    else:
        zero = torch.zeros(1, 1, len(experts))
        router = Router(model, experts, strategy, zero if bias is None else bias, fixed, whole)
    with router.installed(model):
        if isinstance(router, ScaledRouter):
            with router.first_pass():
                model(input_ids=ids, use_cache=False)
        logits = model(input_ids=ids, use_cache=False).logits[0].float()
    log_probs = logits.log_softmax(-1)
    top = log_probs.topk(predictions, dim=-1)
    log_prob = torch.full((ids.shape[1],), math.nan)
    log_prob[1:] = log_probs[:-1].gather(1, ids[0, 1:, None])[:, 0].cpu()
    return RoutedResult(
        modules=router.modules,
        experts=[expert.id for expert in experts],
        affinity=router.stacked("affinity"),
        chosen=router.stacked("chosen"),
        weight=router.stacked("weight"),
        contribution=router.stacked("contribution"),
        log_prob=log_prob,
        top_ids=top.indices.to(torch.int32).cpu(),
        top_log_prob=top.values.cpu(),
        last_logits=logits[-1].cpu(),
    )
