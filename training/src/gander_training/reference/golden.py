"""Runs golden cases."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gander_routing.base import load_shipped
from gander_routing.forward import routed_forward
from gander_routing.pool import Pool, modules_of
from gander_routing.retrieval import retrieve
from gander_routing.strategies import Strategy
from gander_routing.xlora import read_classifier
from torch import Tensor, nn

from gander_training.reference.cases import Case
from gander_training.reference.trace import only_layers, trace_of
from gander_training.texts.tokens import encode

SEED = 20240205


def load_base(pool: Path) -> nn.Module:
    """The pool's base as a transformers causal LM in F32, eval mode, with its ONNX file's weights, dequantised."""
    model, _ = load_shipped(pool, torch.float32)
    result: nn.Module = model
    return result


def random_tensor(case: Case, shape: tuple[int, ...]) -> Tensor:
    """Random bias or fixed weights for a case; a third of the cells is left to the router."""
    rng = np.random.default_rng([SEED, len(case.given)])
    values = torch.from_numpy(rng.standard_normal(shape).astype(np.float32))
    free = torch.from_numpy(rng.random(shape[:2]) < 1 / 3)
    if case.given == "bias":
        return values.masked_fill(free[..., None], 0)
    return values.abs().masked_fill(values < -1, 0).masked_fill(free[..., None], math.nan)


def settled(pool: Pool, strategy: Strategy, text: str) -> Strategy:
    """``strategy``; if it is retrieval without an expert, with the one that retrieval chooses for ``text``."""
    if strategy.name != "retrieval" or strategy.expert:
        return strategy
    return Strategy("retrieval", expert=retrieve(pool, text))


def golden(pool: Pool, model: nn.Module, tokenizer: Any, case: Case) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Run one case; returns the tensors and the header of its file."""
    encoded, strategy = encode(tokenizer, case.text), settled(pool, case.strategy, case.text)
    shape = len(modules_of(pool.experts)), len(encoded.ids), len(pool.experts)
    given: dict[str, Any] = {case.given: random_tensor(case, shape)} if case.given else {}
    result = routed_forward(
        model,
        pool.experts,
        torch.tensor(encoded.ids),
        strategy,
        multitask=pool.multitask,
        classifier=read_classifier(pool) if strategy.name == "x-lora" else None,
        interventions=case.interventions,
        **given,
    )
    tensors, header = trace_of(pool, tokenizer, encoded, result, strategy, case.interventions)
    if case.layers:
        only_layers(tensors, header, case.layers)
    for name, kept in (("affinity", case.affinity), ("last_logits", case.logits)):
        if not kept:
            del tensors[name]
    return {**tensors, **given}, header


def as_half(model: nn.Module) -> nn.Module:
    """A copy with rounding as in a float16 export: the weights, and the square root of the attention's scale."""
    result = copy.deepcopy(model).half().float()
    attention: Any
    for attention in result.modules():
        if hasattr(attention, "scaling"):
            attention.scaling = float(np.float16(attention.scaling**0.5)) ** 2
    return result
