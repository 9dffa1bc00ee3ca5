"""A loss that keeps routers from always choosing the same few experts."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softmax


def balance(logits: Tensor, chosen: int) -> Tensor:
    """Switch Transformer's load-balancing loss of one layer: E sum_i f_i P_i, 1 if even (arXiv:2101.03961, eq. 4).

    f_i is expert i's share of the choices (its load), P_i its mean probability; logits [n, E].
    """
    probability = softmax(logits, -1)
    experts = logits.shape[-1]
    picked = probability.topk(chosen, -1).indices.flatten()
    share = picked.bincount(minlength=experts) / picked.numel()
    return experts * (share * probability.mean(0)).sum()
