"""Shared by training an adapter and training a gate: a frozen base with a LoRA on it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from gander_routing.errors import UserError
from gander_routing.files import read_json
from peft import LoraConfig, PeftModel, get_peft_model, load_peft_weights, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast
from transformers.pytorch_utils import Conv1D

from gander_training.bases.source import load_base, load_pair_base

ADAPTER = "default"


@dataclass
class Workbench:
    """A base with one LoRA adapter, reused for one expert after another."""

    model: PeftModel
    tokenizer: PreTrainedTokenizerFast
    base_name: str
    compiled: Callable[..., object] | None = None

    @property
    def call(self) -> Callable[..., object]:
        return self.model if self.compiled is None else self.compiled

    def modules(self) -> dict[str, LoraLayer]:
        """The adapted layers by their path in the base model."""
        prefix = "base_model.model."
        return {
            name.removeprefix(prefix): layer
            for name, layer in self.model.named_modules()
            if isinstance(layer, LoraLayer) and ADAPTER in layer.lora_A
        }

    def adapter_parameters(self) -> list[nn.Parameter]:
        return [p for name, p in self.model.named_parameters() if ".lora_" in name]

    def reset(self, seed: int) -> None:
        """Start a fresh adapter: A random, B zero."""
        torch.manual_seed(seed)
        for layer in self.modules().values():
            layer.reset_lora_parameters(ADAPTER, init_lora_weights=True)

    def token_loss(self, ids: Tensor) -> Tensor:
        """Mean next-token loss of the adapted model, through the compiled graph if there is one."""
        return self.call(input_ids=ids, labels=ids, use_cache=False).loss  # type: ignore[attr-defined, no-any-return]

    def save(self, folder: Path) -> None:
        """Write PEFT's two files, without its card and any absolute path."""
        config = self.model.peft_config[ADAPTER]
        config.base_model_name_or_path = self.base_name
        self.model.save_pretrained(str(folder), save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)

    def load(self, folder: Path) -> None:
        """Replace the adapter with the one saved in ``folder``, after checking that it fits."""
        check_adapter(folder, self.model)
        set_peft_model_state_dict(self.model, load_peft_weights(str(folder), device="cpu"))

    def verify(self, folder: Path, **inputs: Tensor) -> None:
        """Check that plain PEFT, with ``folder`` on a copy of the base, gives the logits of the current adapter."""
        base = copy.deepcopy(self.model).unload()
        again = PeftModel.from_pretrained(base, str(folder), autocast_adapter_dtype=False).eval()
        self.model.eval()
        with torch.no_grad():
            difference = (again(**inputs).logits - self.model(**inputs).logits).abs().max().item()
        if not difference <= 1e-3:
            raise UserError(f"{folder}: what PEFT loads differs from what was trained (logits differ by {difference})")


def open_bench(
    path: Path, *, rank: int, alpha: int, dtype: torch.dtype, compiled: bool, adapter: Path | None = None
) -> Workbench:
    """A frozen base from ``path`` with a LoRA on every linear layer except the head.

    With ``adapter``, the LoRA has the shape and weights saved there instead.
    """
    base, tokenizer = load_base(path, dtype)
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=linear_kinds(base), task_type="CAUSAL_LM")
    model = with_adapter(base, config, adapter).to(dtype)
    return Workbench(model, tokenizer, base_name(path), torch.compile(model) if compiled else None)


def open_pair_bench(
    path: Path, *, rank: int, alpha: int, dtype: torch.dtype, compiled: bool, adapter: Path | None = None
) -> Workbench:
    """As ``open_bench``, for an encoder-decoder."""
    base, tokenizer = load_pair_base(path, dtype)
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=linear_kinds(base), task_type="SEQ_2_SEQ_LM")
    model = with_adapter(base, config, adapter).to(dtype)
    return Workbench(model, tokenizer, base_name(path), torch.compile(model) if compiled else None)


def with_adapter(base: PreTrainedModel, config: LoraConfig, adapter: Path | None) -> PeftModel:
    """A base with a fresh LoRA of ``config``, or with the one saved in ``adapter``."""
    if adapter is None:
        return get_peft_model(base, config, autocast_adapter_dtype=False)  # type: ignore[return-value]
    check_adapter(adapter, base)
    return PeftModel.from_pretrained(base, str(adapter), autocast_adapter_dtype=False)


def linear_kinds(base: PreTrainedModel) -> list[str]:
    """The last names of all linear layers but the head, like ``q_proj``; PEFT's "all-linear" would list each layer."""
    head = base.get_output_embeddings()
    kinds = {
        name.rpartition(".")[2]
        for name, layer in base.named_modules()
        if isinstance(layer, (nn.Linear, Conv1D)) and layer is not head
    }
    if not kinds:
        raise UserError(f"{base.config.name_or_path}: has no linear layer to adapt")
    return sorted(kinds)


def base_name(path: Path) -> str:
    """The name of the base to write into adapters: from the pool, otherwise the folder's; never a path."""
    manifest = path / "pool.json"
    if manifest.is_file():
        return str(read_json(manifest).get("base", {}).get("name", path.resolve().name))
    return path.resolve().name


def check_adapter(folder: Path, model: PreTrainedModel | PeftModel) -> None:
    """Raises ``UserError`` unless ``folder`` has a finite LoRA with modules and shapes of ``model``."""
    weights_path = folder / "adapter_model.safetensors"
    kind = read_json(folder / "adapter_config.json").get("peft_type")
    if kind != "LORA":
        raise UserError(f"{folder / 'adapter_config.json'}: peft_type is {kind}, not LORA")
    if not weights_path.is_file():
        raise UserError(f"{weights_path}: no such file")
    try:
        tensors = load_peft_weights(str(folder), device="cpu")
    except SafetensorError as error:
        raise UserError(f"{weights_path}: {error}") from None
    if not tensors:
        raise UserError(f"{weights_path}: contains no tensors")
    shapes = _linear_shapes(model)
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise UserError(f"{weights_path}: {name} holds NaN or infinity")
        module, _, part = name.removeprefix("base_model.model.").rpartition(".lora_")
        wanted = shapes.get(module)
        if wanted is None:
            raise UserError(f"{weights_path}: {name} is not for a linear layer of this base")
        given, expected = (tensor.shape[-1], wanted[1]) if part.startswith("A") else (tensor.shape[0], wanted[0])
        if given != expected:
            raise UserError(
                f"{weights_path}: {name} has shape {list(tensor.shape)}, the base's {module} is {list(wanted)}"
            )


def _linear_shapes(model: nn.Module) -> dict[str, tuple[int, int]]:
    """[d_out, d_in] of every linear layer by its path in the base model, wrapped by PEFT or not."""
    shapes = {}
    for name, layer in model.named_modules():
        path = name.removeprefix("base_model.model.").removesuffix(".base_layer")
        if isinstance(layer, nn.Linear):
            shapes[path] = (layer.out_features, layer.in_features)
        elif isinstance(layer, Conv1D):  # GPT-2 stores its weights transposed
            shapes[path] = (layer.weight.shape[1], layer.weight.shape[0])
    return shapes


def input_hooks(
    bench: Workbench, hook: Callable[[str], Callable[[nn.Module, tuple[Tensor, ...]], object]], *, inner: bool
) -> Iterator[torch.utils.hooks.RemovableHandle]:
    """Register ``hook(path)`` before each adapted layer, or with ``inner`` only before its A."""
    for path, layer in bench.modules().items():
        target = cast(nn.Module, layer.lora_A[ADAPTER] if inner else layer)
        yield target.register_forward_pre_hook(hook(path))
