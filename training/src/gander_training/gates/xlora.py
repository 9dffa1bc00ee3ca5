"""Train PEFT's X-LoRA classifier for all experts of a pool, to compare PHATGOOSE's independent gates with.

X-LoRA (Buehler, Buehler, arXiv:2402.07148): a first pass over the base, without gradient, gives the last hidden state of
each token, a classifier makes a scaling of it for each adapted layer and adapter, and a second pass applies them. Model,
classifier and both passes are PEFT's own (``XLoraModel``), but while it trains, a module's adapters are one product
(``stacked``). Base and adapters are frozen; the classifier learns by next-token loss on all experts' text at once, which
PHATGOOSE does not need.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from gander_routing.errors import UserError
from gander_routing.files import read_json
from gander_routing.pool import Pool, read_pool
from safetensors.torch import save_file
from torch import Tensor, nn

from gander_training.bases.source import load_base
from gander_training.experts.workbench import base_name, check_adapter
from gander_training.files import whole_file, whole_folder, write_json
from gander_training.fitting.loop import MasterAdamW, fit
from gander_training.gates.peft_xlora import (
    CLASSIFIER,
    CONFIG,
    WEIGHTS,
    check_reads_head,
    check_top_k,
    classifier_tensors,
    open_xlora,
    scaled_modules,
)
from gander_training.gates.router import mixed
from gander_training.gates.stacked import Stacked, check_stacked
from gander_training.quiet import quiet
from gander_training.texts.loss import next_token_loss
from gander_training.texts.windows import pack, read_texts

# How many tokens the stacked adapters are compared with PEFT's on.
CHECKED = 64


@dataclass(frozen=True)
class XLoraShape:
    """Which classifier: PEFT's ``XLoraConfig``, with its defaults."""

    depth: int = 1
    size: int = 2048
    dropout: float = 0.2
    layerwise: bool = False
    softmax: Literal["all", "chosen", "none"] = "all"
    temperature: float = 1.0
    top_k: int | None = None
    pass_value: float = 0.0
    weight: float = 1.0

    def check(self, adapters: int) -> None:
        """Raises ``UserError`` for what PEFT does not take or does not honour, for so many adapters."""
        if self.depth < 1 or self.size < 1:
            raise UserError(f"depth is {self.depth} and size {self.size}; both must be at least 1")
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout is {self.dropout:g}; it must be at least 0 and below 1")
        if not self.temperature > 0:
            raise UserError(f"temperature is {self.temperature:g}; it must be above 0")
        if self.softmax == "chosen" and self.top_k is None:
            raise UserError("softmax over the chosen adapters needs top_k, how many are chosen")
        check_top_k("X-LoRA", self.top_k, adapters, self.pass_value)

    def config(self, hidden_size: int) -> Any:
        """PEFT's configuration, without adapters."""
        from peft import TaskType, XLoraConfig

        with quiet():
            return XLoraConfig(
                task_type=TaskType.CAUSAL_LM,
                hidden_size=hidden_size,
                adapters={},
                enable_softmax=self.softmax == "all",
                enable_softmax_topk=self.softmax == "chosen",
                layerwise_scalings=self.layerwise,
                xlora_depth=self.depth,
                xlora_size=self.size,
                xlora_dropout_p=self.dropout,
                softmax_temperature=self.temperature,
                top_k_lora=self.top_k,
                scaling_pass_value=self.pass_value,
                global_scaling_weight=self.weight,
            )


@dataclass(frozen=True)
class XLoraOptions:
    """``steps`` updates on ``batch`` windows of ``length`` tokens, of which ``part`` run at once (default: all).

    By default as many tokens as all twelve gates of the shipped pool saw together, and as the jointly trained router.
    """

    steps: int = 600
    batch: int = 4
    length: int = 256
    learning_rate: float = 1e-3
    seed: int = 2
    part: int | None = None
    shape: XLoraShape = field(default_factory=XLoraShape)


def trainable(peft: Any) -> nn.Module:
    """The classifier, the only part that is trained and the only one with dropout in use."""
    peft.requires_grad_(False)
    classifier: nn.Module = peft.base_model.internal_xlora_classifier
    peft.eval()
    return classifier.requires_grad_(True).train()


def skip_zeros(peft: Any) -> None:
    """In the first pass, leave out adapters that are multiplied by 0, which changes no number.

    PEFT switches the adapters' own layers off there, but X-LoRA's, which compute instead of them, look at another switch.
    """
    xlora = peft.base_model
    if xlora.xlora_config.scaling_pass_value != 0:
        return
    off, on = xlora.lora_model.disable_adapter_layers, xlora.lora_model.enable_adapter_layers

    def disable() -> None:
        off()
        xlora.disabled = True

    def enable() -> None:
        on()
        xlora.disabled = False

    xlora.lora_model.disable_adapter_layers, xlora.lora_model.enable_adapter_layers = disable, enable


def token_loss(peft: Any, rows: Tensor) -> Tensor:
    """Mean next-token loss of windows [n, length], in float32. Without ``labels``, or the first pass had a loss, too."""
    return next_token_loss(peft(input_ids=rows, use_cache=False).logits, rows)


def say_left(folder: Path, stacked: Stacked) -> None:
    """Say which modules PEFT computes itself, one adapter after the other, because that takes long."""
    for reason in sorted(set(stacked.left.values())):
        names = [name for name, own in stacked.left.items() if own == reason]
        more = f" (as {len(names) - 1} more)" if len(names) > 1 else ""
        print(f"{folder}: {names[0]}{more} {reason}, so that its adapters are computed one by one", file=sys.stderr)


def require_trainable(folder: Path, pool: Pool, options: XLoraOptions, overwrite: bool) -> None:
    """Raises ``UserError`` for a pool whose experts cannot have such a classifier, or that has one."""
    if len(pool.experts) < 2:
        raise UserError(f"{folder}: has {len(pool.experts)} experts; a classifier needs two to choose between")
    if "general" in pool.manifest:
        raise UserError(
            f"{folder}: its general adapters are subtracted from the experts, which PEFT's X-LoRA does not do"
        )
    if not overwrite and ("xlora" in pool.manifest or (folder / CLASSIFIER).exists()):
        raise UserError(f"{folder}: has an X-LoRA classifier already (use --overwrite to replace it)")
    options.shape.check(len(pool.experts))


def open_pool(folder: Path, pool: Pool, shape: XLoraShape, dtype: torch.dtype, seed: int) -> tuple[Any, Any, list[str]]:
    """PEFT's model of the pool's base and experts with a fresh classifier, the tokenizer, and the modules' paths in order."""
    model, tokenizer = load_base(folder, dtype)
    adapters = adapter_folders(folder, pool)
    for adapter in adapters:
        check_adapter(adapter, model)
    torch.manual_seed(seed)
    peft = open_xlora(folder, shape.config(model.config.hidden_size), adapters, model)
    modules = scaled_modules(folder, peft)
    check_reads_head(folder, peft)
    return peft, tokenizer, modules


def adapter_folders(folder: Path, pool: Pool) -> list[Path]:
    """The experts' folders, by class."""
    return [folder / pool.manifest["experts"] / expert.id for expert in pool.experts]


def train_xlora(
    folder: Path,
    corpora: Path,
    options: XLoraOptions,
    runs: Path,
    *,
    dtype: torch.dtype = torch.bfloat16,
    overwrite: bool = False,
) -> dict[str, float]:
    """Write a classifier's folder into the pool and name it in ``pool.json``; returns the first and the last loss.

    Its classes are the pool's experts by id. The text is each expert's ``<id>/train.jsonl`` in ``corpora``.
    """
    pool = read_pool(folder)
    require_trainable(folder, pool, options, overwrite)
    peft, tokenizer, modules = open_pool(folder, pool, options.shape, dtype, options.seed)
    windows = [
        pack(tokenizer, read_texts(corpora / expert.id / "train.jsonl"), options.length, options.seed)
        for expert in pool.experts
    ]
    skip_zeros(peft)
    stacked = Stacked(peft)
    say_left(folder, stacked)
    few_tokens = windows[0][:1, :CHECKED]
    check_stacked(folder, peft, stacked, few_tokens)
    optimiser = MasterAdamW(list(trainable(peft).parameters()), options.learning_rate)
    runs.mkdir(parents=True, exist_ok=True)
    checkpoint = runs / "xlora.pt"

    def loss_of(rows: Tensor) -> Tensor:
        # Dropout depends on nothing but the rows, so that a run that was stopped goes on as if it had not been.
        torch.manual_seed(options.seed + int(rows.sum()))
        return token_loss(peft, rows)

    ids = [expert.id for expert in pool.experts]
    key = json.dumps([asdict(options), ids, modules, str(corpora), str(dtype)])
    batches = mixed(windows, options)
    with stacked:
        losses = fit(loss_of, optimiser, batches, checkpoint, key, "X-LoRA", part=options.part)
    peft.eval()
    check_stacked(folder, peft, stacked, few_tokens)
    write_classifier(folder, pool, peft, modules, windows[0][:1])
    checkpoint.unlink(missing_ok=True)
    few = max(1, len(losses) // 20)
    return {"first": sum(losses[:few]) / few, "last": sum(losses[-few:]) / few}


def write_classifier(folder: Path, pool: Pool, peft: Any, modules: Sequence[str], rows: Tensor) -> None:
    """Write PEFT's two files, check on ``rows`` that PEFT gives the same with them, and name them in ``pool.json``."""
    manifest = read_json(folder / "pool.json")
    target = folder / CLASSIFIER
    with whole_folder(target) as made:
        config = peft.peft_config["default"]
        config.base_model_name_or_path = base_name(folder)
        config.save_pretrained(str(made))
        adapters = adapter_folders(folder, pool)
        near = {str(index): Path(os.path.relpath(path, target)).as_posix() for index, path in enumerate(adapters)}
        write_json(made / CONFIG, {**read_json(made / CONFIG), "adapters": near})
        tensors = {name: value.detach().contiguous() for name, value in classifier_tensors(peft).items()}
        save_file(tensors, made / WEIGHTS, metadata={"format": "pt"})
        verify(folder, made, adapters, peft, rows)
        if "xlora" in manifest:
            # Between the folder and pool.json, the pool has no classifier, never the new one under the old one's entry.
            write_manifest(folder, {key: value for key, value in manifest.items() if key != "xlora"})
    entry = {"classifier": CLASSIFIER, "experts": [expert.id for expert in pool.experts], "modules": list(modules)}
    write_manifest(folder, manifest | {"xlora": entry})


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    with whole_file(folder / "pool.json") as path:
        write_json(path, manifest)


@torch.no_grad()
def verify(folder: Path, made: Path, adapters: Sequence[Path], peft: Any, rows: Tensor) -> None:
    """Raises ``UserError`` unless plain PEFT gives the same logits, from the files in ``made`` on the pool's base."""
    from peft import PeftModel, XLoraConfig

    wanted = peft(input_ids=rows, use_cache=False).logits
    config = XLoraConfig.from_pretrained(str(made))
    config.adapters = {str(index): str(path) for index, path in enumerate(adapters)}
    model, _ = load_base(folder, wanted.dtype)
    model.config.use_cache = False
    with quiet():
        again = PeftModel.from_pretrained(model, str(made), config=config, autocast_adapter_dtype=False).eval()
    again.base_model.lora_model.to(wanted.dtype)
    difference = (again(input_ids=rows, use_cache=False).logits - wanted).abs().max().item()
    if not difference <= 1e-3:
        raise UserError(f"{made}: what PEFT loads differs from what was trained (logits differ by {difference})")
