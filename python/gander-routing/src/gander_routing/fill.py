"""Puts the weights that were read from a graph into a transformers model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
import transformers
from torch import Tensor, nn
from transformers import PreTrainedModel

from gander_routing.errors import UserError


def require_finite(source: Path, model: nn.Module) -> None:
    """Refuse a model with NaN or infinity among its weights; ``source`` is the file that the error names."""
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            raise UserError(f"{source}: weight {name} holds NaN or infinity")


def linear_modules(model: nn.Module) -> dict[str, nn.Linear]:
    """Every linear layer by its path."""
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Linear)}


def fill(model: PreTrainedModel, weights: Mapping[str, Tensor], source: Path, shared: Mapping[str, str]) -> None:
    """Give ``model`` the weights read from ``source``, whatever this version of transformers ties.

    ``shared`` maps a weight that may be missing to the one that it shares. Raises ``UserError`` if a weight is missing,
    has another shape or is not finite, or if the model ends up with other values.
    """
    given: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        found = weights.get(name, weights.get(shared.get(name, "")))
        if found is None:
            raise UserError(f"{source}: no weight for {name}")
        if found.shape != value.shape:
            raise UserError(f"{source}: {name} has shape {list(found.shape)}, config.json says {list(value.shape)}")
        given[name] = found
    _untie(model, given)
    model.load_state_dict(given)
    for name, value in model.state_dict().items():
        # NaN counts as equal here; require_finite reports it.
        if not torch.allclose(value, given[name].to(value), rtol=0, atol=0, equal_nan=True):
            raise UserError(
                f"{source}: transformers {transformers.__version__} puts another weight in the place of {name}"
            )
    require_finite(source, model)


def _untie(model: PreTrainedModel, given: Mapping[str, Tensor]) -> None:
    """Separate parameters that ``model`` ties but that have different values in ``given``.

    transformers 5 ties the head of every T5 to the embedding, whatever config.json says.
    """
    first: dict[nn.Parameter, str] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        one = first.setdefault(parameter, name)
        if not (given[one] is given[name] or torch.equal(given[one], given[name])):
            path, _, own = name.rpartition(".")
            setattr(model.get_submodule(path), own, nn.Parameter(torch.empty_like(parameter)))
