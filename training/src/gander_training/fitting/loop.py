"""An optimiser for low-precision parameters, and a resumable training loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from gander_routing.errors import UserError
from torch import Tensor, nn
from tqdm import tqdm

from gander_training.files import whole_file
from gander_training.fitting.schedule import rate

CLIP = 1.0
CHECKPOINT_EVERY = 30


class MasterAdamW:
    """AdamW without weight decay on float32 copies of low-precision parameters.

    For most weights, a step with lr 1e-3 is smaller than half a unit in the last place of bfloat16; without the copies
    it would be lost in rounding. ``settings`` are further settings of torch.optim.AdamW.
    """

    def __init__(self, parameters: list[nn.Parameter], learning_rate: float, **settings: Any) -> None:
        self.parameters = parameters
        self.masters = [nn.Parameter(p.detach().float().clone()) for p in parameters]
        self.learning_rate = learning_rate
        self.inner = torch.optim.AdamW(self.masters, lr=learning_rate, weight_decay=0.0, **settings)

    def step(self, factor: float) -> None:
        """Clip, update at ``factor`` times the peak rate, round into the parameters, drop their gradients."""
        for parameter, master in zip(self.parameters, self.masters, strict=True):
            master.grad = None if parameter.grad is None else parameter.grad.float()
            parameter.grad = None
        nn.utils.clip_grad_norm_(self.masters, CLIP, error_if_nonfinite=True)
        for group in self.inner.param_groups:
            group["lr"] = self.learning_rate * factor
        self.inner.step()
        self.write_back()

    @torch.no_grad()
    def write_back(self) -> None:
        for parameter, master in zip(self.parameters, self.masters, strict=True):
            parameter.copy_(master)

    def state_dict(self) -> dict[str, object]:
        return {"masters": [m.detach() for m in self.masters], "adamw": self.inner.state_dict()}

    def load_state_dict(self, state: dict[str, object]) -> None:
        with torch.no_grad():
            for master, saved in zip(self.masters, state["masters"], strict=True):  # type: ignore[call-overload]
                master.copy_(saved)
        self.inner.load_state_dict(state["adamw"])  # type: ignore[arg-type]
        self.write_back()


def fit(
    loss_of: Callable[[Tensor], Tensor],
    optimiser: MasterAdamW,
    batches: list[Tensor],
    checkpoint: Path,
    key: str,
    label: str,
    *,
    part: int | None = None,
    schedule: Callable[[int, int], float] = rate,
) -> list[float]:
    """One update for each of ``batches``; resumes from ``checkpoint`` if it was written for the same ``key``.

    ``part``: how many rows of a batch run at once, with gradients accumulated (default: all).
    Returns the loss of every step. The caller removes the checkpoint once its result is saved.
    """
    losses: list[float] = []
    if checkpoint.is_file():
        saved = torch.load(checkpoint, weights_only=True)
        if saved["key"] == key:
            optimiser.load_state_dict(saved["optimiser"])
            losses = saved["losses"]
    progress = tqdm(
        range(len(losses), len(batches)), desc=label, initial=len(losses), total=len(batches), mininterval=5
    )
    for step in progress:
        whole, value = len(batches[step]), 0.0
        for rows in batches[step].split(part or whole):
            loss = loss_of(rows) * (len(rows) / whole)
            loss.backward()
            value += loss.item()
        try:
            optimiser.step(schedule(step, len(batches)))
        except RuntimeError as error:
            raise UserError(f"{label}: the gradient of step {step} is not finite ({error})") from None
        losses.append(value)
        progress.set_postfix(loss=f"{losses[-1]:.3f}")
        if (step + 1) % CHECKPOINT_EVERY == 0 and step + 1 < len(batches):
            with whole_file(checkpoint) as path:
                torch.save({"key": key, "optimiser": optimiser.state_dict(), "losses": losses}, path)
    return losses


def batches(windows: Tensor, size: int, count: int) -> list[Tensor]:
    """``count`` batches [size, length] of ``windows`` in order, starting over when they run out."""
    repeats = -(-count * size // windows.shape[0])
    return list(windows.repeat(repeats, 1)[: count * size].split(size))
