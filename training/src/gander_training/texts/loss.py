"""The next-token loss of logits, in place: a vocabulary's worth of numbers for each token is most of what a step needs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

# How many rows of logits are worked on at once, so that they stay in the processor's cache.
ROWS = 32


class _NextToken(torch.autograd.Function):
    """Puts the loss's gradient in the place of the logits; with ``F.cross_entropy``, there are four such tensors."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, count: int) -> Tensor:
        losses = []
        for part, wanted in zip(logits.detach().split(ROWS), targets.split(ROWS), strict=True):
            known = wanted >= 0
            at = (torch.arange(len(part), device=part.device), wanted.clamp_min(0))
            # In float32 this is the part itself, not a copy.
            values = part.float()
            values -= values.amax(-1, keepdim=True)
            right = values[at].clone()
            sums = values.exp_().sum(-1)
            losses.append((sums.log() - right)[known].sum())
            values *= (known / (sums * count))[:, None]
            values[at] -= known.float() / count
            if values is not part:
                part.copy_(values)
        ctx.gradient = logits.detach()
        return torch.stack(losses).sum() / count

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        whole, ctx.gradient = ctx.gradient, None
        return whole.mul_(gradients[0]), None, None


def next_token_loss(logits: Tensor, rows: Tensor) -> Tensor:
    """Mean negative log-probability in nats, in float32, of every token but the first of each of ``rows`` [n, length].

    ``logits``: [n, length, vocabulary]. They are overwritten, and ``backward`` may be called once.
    """
    targets = rows.roll(-1, 1)
    targets[:, -1] = -1
    count = rows.shape[0] * (rows.shape[1] - 1)
    loss: Tensor = _NextToken.apply(logits.flatten(0, 1), targets.flatten(), count)
    return loss
