"""Merges a LoRA adapter of PEFT into a transformers model, a mixture of experts above all, or says why it cannot be.

PEFT itself loads and merges the adapter (``merge_and_unload``): on linear layers, and with ``target_parameters`` on
parameters, which are the fused experts [N, d_out, d_in] and the routers [N, d_in] of transformers 5. Merged, the model has
its own modules again, so that what reads its routers, or exports it, sees nothing new. What PEFT loads wrongly or merges
into something else is refused here.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gander_routing.errors import UserError
from gander_routing.files import read_json, stored_tensors
from gander_routing.pool import OTHER_BASES, pattern_value

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
NEEDED = (0, 20)  # PEFT before it has the factors of fused experts the other way round
# Fields of PEFT's LoraConfig that, if set, make an adapter more than a change of weights, or change the base's.
NOT_MERGED = {
    "alora_invocation_tokens": "aLoRA acts only after certain tokens",
    "arrow_config": "it is itself routed, by Arrow",
    "kasa_config": "KaSA removes singular values from the base",
    "layer_replication": "it is made for a base whose layers are repeated",
    "use_bdlora": "its matrices are block-diagonal",
    "use_qalora": "QA-LoRA takes the mean over groups of its input",
}
# An expert's own linear layer, as transformers 4 has them; PEFT puts such adapters on the fused experts of transformers 5.
OWN_LAYER = re.compile(r"base_model\.model\.(.*\.experts\.\d+\..*)\.lora_[AB]\.weight")
MISMATCH = re.compile(r"size mismatch for (\S+): .*?Size\((\[[\d, ]*\])\).*?Size\((\[[\d, ]*\])\)")
# Nats, mean over tokens and vocabulary, in float32. Another order of summation gives 1e-6.
BOUND = 1e-3


@dataclass(frozen=True)
class Merged:
    """``model`` with the adapter in its weights.

    ``matrices``: how many weights it changed, fused experts counting as one. ``apart``: the largest difference of a
    log-probability, in nats, from PEFT's own pass with the adapter beside the weights; ``moved``: from the base's.
    """

    model: Any
    matrices: int
    apart: float
    moved: float


def require_mergeable(folder: Path) -> dict[str, Any]:
    """The adapter's configuration. Raises ``UserError`` if it is not LoRA, or cannot be merged; reads no weights."""
    file = folder / CONFIG
    config = read_json(file)
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        kind = config.get("peft_type") if isinstance(config, dict) else None
        raise UserError(f"{file}: peft_type is {kind}, and only LORA is merged")
    for field, why in NOT_MERGED.items():
        if config.get(field):
            raise UserError(f"{file}: {field} is set: {why}, so it cannot be merged into the weights")
    if str(init := config.get("init_lora_weights")).lower().startswith(OTHER_BASES):
        way = "PEFT converts it to plain LoRA (save_pretrained with path_initial_model_for_weight_conversion)"
        if str(init).lower() == "loftq":
            way = "it fits only the base as it was quantised then"
        raise UserError(f"{file}: init_lora_weights is {init!r}, which changes the base before training; {way}")
    known = {field.name for field in fields(_peft().LoraConfig)}
    for field, value in config.items():
        if field not in known and value:
            raise UserError(f"{file}: {field} is set, which PEFT {_peft().__version__} does not know")
    if not (folder / WEIGHTS).is_file():
        raise UserError(f"{folder / WEIGHTS}: no such file (an adapter_model.bin is a pickle, which is not read)")
    return config


def require_plain(name: object, config: Mapping[str, Any]) -> None:
    """Refuse a base whose config.json says that its weights are quantised; MXFP4 is dequantised where it loads."""
    quantised = config.get("quantization_config") or {}
    method = quantised.get("quant_method") if isinstance(quantised, dict) else quantised
    if method and method != "mxfp4":
        raise UserError(f"{name}: its weights are quantised ({method}), and an adapter is merged into unquantised ones")


def merge_adapter(model: Any, folder: Path, ids: Tensor) -> Merged:
    """Merge the adapter in ``folder`` into ``model``, in place, and compare the result with PEFT's own pass.

    ``ids`` [1, T] is the text that is compared. Raises ``UserError`` if the adapter does not fit or cannot be merged;
    the model must then be thrown away.
    """
    config, tensors = require_mergeable(folder), stored_tensors(folder / WEIGHTS)
    kind = type(model).__name__
    _require_weights(model, kind)
    base = _log_probs(model, ids)
    with _told_as(f"{folder}: PEFT {_peft().__version__} cannot put it on {kind}"):
        peft, wrappers = _with_adapter(model, folder, config, tensors)
        beside = _log_probs(peft, ids)
    with _told_as(f"{folder}: PEFT {_peft().__version__} cannot merge it into {kind}"):
        # With ``safe_merge``, PEFT refuses results that are not finite.
        merged: Any = peft.merge_and_unload(safe_merge=True)
    off = (_log_probs(merged, ids) - beside).abs()
    if not bool(off.isfinite().all()):
        raise UserError(f"{folder}: with it, {kind}'s results are not finite numbers")
    if next(merged.parameters()).dtype == torch.float32 and float(off.mean()) > BOUND:
        tied = (
            " (its head and embedding are one weight)" if getattr(merged.config, "tie_word_embeddings", False) else ""
        )
        raise UserError(
            f"{folder}: merged into {kind}{tied} it computes something else: log-probabilities differ by "
            f"{float(off.mean()):.2g} nats on average, by {float(off.max()):.2g} at most"
        )
    return Merged(merged.eval(), wrappers, float(off.max()), float((beside - base).abs().max()))


def _peft() -> Any:
    try:
        import peft
    except ImportError:
        raise UserError("an adapter needs PEFT: pip install 'peft>=0.21'") from None
    if _numbers(peft.__version__) < NEEDED:
        raise UserError(f"an adapter needs PEFT 0.20 or newer, and {peft.__version__} is installed")
    return peft


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _require_weights(model: Any, kind: str) -> None:
    """Refuse an encoder-decoder, and a base that is quantised or some of whose weights are on no device."""
    if model.config.is_encoder_decoder:
        raise UserError(
            f"{kind}: it is an encoder-decoder, and an adapter is merged only into a model that continues a text"
        )
    if getattr(model, "hf_quantizer", None) is not None:
        raise UserError(f"{kind}: its weights are quantised, and an adapter is merged into unquantised ones")
    for name, weight in model.named_parameters():
        if weight.device.type == "meta":
            raise UserError(f"{kind}: {name} is not in memory, and an adapter is merged only into weights that are")
        if not weight.is_floating_point() or weight.element_size() < 2:
            raise UserError(
                f"{kind}: {name} is quantised ({weight.dtype}), and an adapter is merged into unquantised ones"
            )


@torch.no_grad()
def _log_probs(model: Any, ids: Tensor) -> Tensor:
    """Log-probabilities [T, V], on the CPU."""
    result: Tensor = model(input_ids=ids.to(model.device), use_cache=False).logits[0].float().log_softmax(-1).cpu()
    return result


@contextmanager
def _told_as(what: str) -> Iterator[None]:
    """Turn PEFT's errors, of many types, into one line; its warnings are checked for here, so they are not shown."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UserError:
        raise
    except Exception as error:
        said = str(error).strip() or type(error).__name__
        shapes = MISMATCH.search(said)
        line = f"{shapes[1]} is {shapes[2]}, where it takes {shapes[3]}" if shapes else said.splitlines()[0].strip()
        raise UserError(f"{what} ({line})") from error


def _with_adapter(model: Any, folder: Path, config: Mapping[str, Any], tensors: dict[str, Tensor]) -> tuple[Any, int]:
    """``model`` in PEFT's wrapper, with every tensor of the file in its place; and how many weights it adapts."""
    peft = _peft()
    from peft.tuners.lora.layer import LoraLayer

    told = peft.LoraConfig.from_pretrained(str(folder))
    # Neither acts outside training, but PEFT refuses dropout on parameters, and some initial values take long.
    told.lora_dropout, told.init_lora_weights, told.inference_mode = 0.0, True, True
    wrapped = peft.get_peft_model(model, told, autocast_adapter_dtype=False).eval()
    _require_known_layout(folder, config, tensors, wrapped)
    result = peft.set_peft_model_state_dict(wrapped, tensors)
    _require_all(folder, result.missing_keys, result.unexpected_keys)
    return wrapped, sum(isinstance(module, LoraLayer) for module in wrapped.modules())


def _require_all(folder: Path, missing: list[str], unexpected: list[str]) -> None:
    """Refuse a file that lacks a weight of the adapter or has one that the model has no place for; PEFT only warns."""
    if unexpected:
        raise UserError(f"{folder / WEIGHTS}: the base has no place for {unexpected[0]}")
    # The base's own weights are missing, too; those of the adapter have its name in them.
    absent = [name for name in missing if ".default." in name or name.endswith(".default")]
    if absent:
        raise UserError(f"{folder / WEIGHTS}: it has no {absent[0].replace('.default', '', 1)}")


def _require_known_layout(
    folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor], model: nn.Module
) -> None:
    """Refuse adapters of fused experts that PEFT takes for something else, without an error."""
    from peft.tuners.lora.layer import ParamWrapper

    fused = [module for module in model.modules() if isinstance(module, ParamWrapper) and module.num_experts > 1]
    own = [match[1] for name in tensors if (match := OWN_LAYER.match(name))]
    if fused and own:
        # PEFT doubles rank and alpha where it joins gate and up: alpha / sqrt(rank) is then too large, by sqrt(2).
        told = ["use_rslora"] if config.get("use_rslora") else []
        for field in ("rank_pattern", "alpha_pattern"):
            told += [field] if any(pattern_value(config.get(field), path, None) is not None for path in own) else []
        if told:
            raise UserError(
                f"{folder / CONFIG}: {told[0]} is set for experts of transformers 4, layers of their own, and PEFT does not "
                "carry it over to the fused ones of transformers 5; merge it with transformers 4"
            )
        return
    made = str(config.get("peft_version") or "older than 0.18")
    for module in fused:
        # PEFT exchanged the two factors: for good where experts are [N, d_out, d_in], in one version where they are not.
        in_first = bool(getattr(module.get_base_layer(), "is_transposed", False))
        if _numbers(made) == (0, 19, 0) if in_first else _numbers(made) < (0, 19, 1):
            raise UserError(
                f"{folder / CONFIG}: it was made by PEFT {made}, which has the factors of these fused experts the other way "
                "round than PEFT from 0.19.1 on; merge it with the PEFT that made it"
            )
