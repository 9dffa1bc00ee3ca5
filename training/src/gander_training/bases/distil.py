"""Fit the scales of a quantised model to its source model; codes and zeros stay fixed."""

from __future__ import annotations

import torch
from gander_routing.quantised import Quantised
from torch import Tensor, nn
from torch.nn.functional import kl_div, linear, log_softmax
from tqdm import tqdm
from transformers import PreTrainedModel

from gander_training.fitting.schedule import rate


class _ScaledLinear(nn.Module):
    """A bias-free linear layer whose block scales are learned as a relative change."""

    steps: Tensor
    scales: Tensor

    def __init__(self, source: Quantised, dtype: torch.dtype) -> None:
        super().__init__()
        rows = source.codes.shape[0]
        steps = source.codes.view(rows, -1, source.block).float() - source.zeros[..., None]
        self.register_buffer("steps", steps.to(dtype))
        self.register_buffer("scales", source.scales)
        self.change = nn.Parameter(torch.zeros_like(source.scales))

    def forward(self, inputs: Tensor) -> Tensor:
        scales = (self.scales * (1 + self.change)).to(self.steps.dtype)
        return linear(inputs, (self.steps * scales[..., None]).flatten(1))


def fit_scales(
    teacher: PreTrainedModel,
    student: PreTrainedModel,
    quantised: dict[str, Quantised],
    windows: Tensor,
    batch: int = 4,
    learning_rate: float = 2e-3,
) -> dict[str, Quantised]:
    """Minimise KL(teacher || student) over ``windows`` [n, length], one pass; both models are bf16 copies.

    ``student`` is consumed: its quantised linear layers are replaced.
    """
    for parameter in student.parameters():
        parameter.requires_grad_(False)
    layers = {}
    for name, source in quantised.items():
        parent, _, leaf = name.rpartition(".")
        layers[name] = _ScaledLinear(source, student.dtype)
        setattr(student.get_submodule(parent), leaf, layers[name])
    optimiser = torch.optim.Adam([layer.change for layer in layers.values()], lr=learning_rate, betas=(0.9, 0.95))
    parts = windows.split(batch)
    progress = tqdm(parts, desc="fit scales")
    for step, ids in enumerate(progress):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * rate(step, len(parts))
        with torch.no_grad():
            wanted = log_softmax(teacher(input_ids=ids, use_cache=False).logits.float(), -1).flatten(0, 1)
        given = log_softmax(student(input_ids=ids, use_cache=False).logits.float(), -1).flatten(0, 1)
        divergence = kl_div(given, wanted, log_target=True, reduction="batchmean")
        divergence.backward()
        optimiser.step()
        optimiser.zero_grad()
        progress.set_postfix(kl=f"{divergence.item():.4f}")
    return {
        name: Quantised(
            source.codes,
            (source.scales * (1 + layers[name].change.detach())).float(),
            source.zeros,
            source.block,
            source.bits,
        )
        for name, source in quantised.items()
    }
