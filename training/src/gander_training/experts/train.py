"""Train one expert: a LoRA adapter with PEFT on one domain's text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
import yaml
from gander_routing.errors import UserError
from peft import LoraConfig
from torch import Tensor

from gander_training.experts.workbench import Workbench
from gander_training.files import whole_folder
from gander_training.fitting.loop import MasterAdamW, batches, fit
from gander_training.texts.windows import Sample, Score, pack, read_texts, sample, score

EVALUATION_WINDOWS = 16


@dataclass(frozen=True)
class ExpertOptions:
    """``steps`` updates on ``batch`` windows of ``length`` tokens, with peak ``learning_rate``."""

    steps: int = 120
    batch: int = 4
    length: int = 256
    learning_rate: float = 1e-3
    seed: int = 0


@dataclass(frozen=True)
class Card:
    """What a model card says apart from the measured figures."""

    name: str
    description: str
    license: str = "apache-2.0"


def interleave(parts: Sequence[Tensor]) -> Tensor:
    """Windows from several sources in turn, as many from each as the shortest has."""
    shortest = min(len(part) for part in parts)
    return torch.stack([part[:shortest] for part in parts], 1).flatten(0, 1)


def packages(path: Path) -> list[str]:
    """The distinct ``package`` entries of a jsonl file, in order; empty if it has none."""
    found: dict[str, None] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        package = json.loads(line).get("package")
        if package:
            found[str(package)] = None
    return list(found)


def train_expert(
    bench: Workbench,
    data: Sequence[Path],
    target: Path,
    card: Card,
    options: ExpertOptions,
    runs: Path,
    held_out: Mapping[str, Sequence[Path]],
) -> dict[str, dict[str, Score]]:
    """Train on ``data`` and write ``target``; returns the scores before and after on each of ``held_out``.

    Several data files contribute in equal shares.
    """
    windows = interleave([pack(bench.tokenizer, read_texts(path), options.length, options.seed) for path in data])
    samples = {
        split: [
            sample(bench.tokenizer, read_texts(path), max(1, EVALUATION_WINDOWS // len(paths)), options.length)
            for path in paths
        ]
        for split, paths in held_out.items()
    }
    figures: dict[str, dict[str, Score]] = {}
    bench.model.eval()
    with bench.model.disable_adapter():
        for split, parts in samples.items():
            figures[split] = {"before": _mean_score(bench, parts)}
    bench.reset(options.seed)
    runs.mkdir(parents=True, exist_ok=True)
    checkpoint = runs / f"{target.name}.expert.pt"
    losses = fit(
        bench.token_loss,
        adapter_optimiser(bench, options.learning_rate),
        batches(windows, options.batch, options.steps),
        checkpoint,
        f"{options} {[str(path) for path in data]} {bench.base_name}",
        f"{target.name}: adapter",
    )
    bench.model.eval()
    for split, parts in samples.items():
        figures[split]["after"] = _mean_score(bench, parts)
    with whole_folder(target) as folder:
        bench.save(folder)
        bench.verify(folder, input_ids=windows[:1])
        (folder / "README.md").write_text(card_of(bench, data, card, _said(options), losses, figures), encoding="utf-8")
    checkpoint.unlink(missing_ok=True)
    return figures


def _mean_score(bench: Workbench, parts: Sequence[Sample]) -> Score:
    scores = [score(bench.model, part) for part in parts]
    return Score(sum(s.loss for s in scores) / len(scores), sum(s.bits for s in scores) / len(scores))


def adapter_optimiser(bench: Workbench, learning_rate: float) -> MasterAdamW:
    """The adapter's optimiser; freezes everything else and puts the model into training mode."""
    bench.model.train()
    for name, parameter in bench.model.named_parameters():
        parameter.requires_grad_(".lora_" in name)
    return MasterAdamW(bench.adapter_parameters(), learning_rate)


@dataclass(frozen=True)
class Said:
    """What a model card says about the training and the held-out texts."""

    steps: str
    optimiser: str
    seed: int
    measured: str


def _said(options: ExpertOptions) -> Said:
    tokens = options.batch * options.length
    return Said(
        f"{options.steps} of {options.batch} windows of {options.length} tokens ({options.steps * tokens} tokens)",
        f"AdamW, peak learning rate {options.learning_rate:g}, warm-up 6 %, cosine to 0, clip 1.0, no weight decay",
        options.seed,
        f"over at most {EVALUATION_WINDOWS} documents of each split, their first {options.length} tokens",
    )


def card_of(
    bench: Workbench,
    data: Sequence[Path],
    card: Card,
    said: Said,
    losses: list[float],
    figures: dict[str, dict[str, Score]],
) -> str:
    """An expert's model card."""
    config = cast(LoraConfig, bench.model.peft_config["default"])
    front = {
        "name": card.name,
        "description": card.description,
        "license": card.license,
        "base_model": bench.base_name,
        "library_name": "peft",
        "datasets": sorted({package for path in data for package in packages(path)}),
    }
    width = max(1, len(losses) // 10)
    lines = [
        f"# {card.name}",
        "",
        f"{card.description} A LoRA adapter for {bench.base_name}, trained with `gander-training expert`.",
        "",
        "| | |",
        "| --- | --- |",
        f"| rank, alpha | {config.r}, {config.lora_alpha} |",
        f"| adapted modules | {len(bench.modules())} |",
        f"| steps | {said.steps} |",
        f"| optimiser | {said.optimiser} |",
        f"| arithmetic | {next(bench.model.parameters()).dtype}".replace("torch.", "")
        + ", float32 copies in the optimiser |",
        f"| seed | {said.seed} |",
        f"| training loss (nats a token) | {sum(losses[:width]) / width:.3f} in the first {width} steps, "
        f"{sum(losses[-width:]) / width:.3f} in the last {width} |",
        "",
    ]
    if figures:
        lines += [
            "| | loss, base | loss, adapted | bits per byte, base | bits per byte, adapted |",
            "| --- | --- | --- | --- | --- |",
        ]
        for split, f in figures.items():
            old, new = f["before"], f["after"]
            lines.append(f"| {split} | {old.loss:.4f} | {new.loss:.4f} | {old.bits:.4f} | {new.bits:.4f} |")
        lines += [
            "",
            f"Loss in nats a token, {said.measured}. The packages trained on are in the front matter.",
            "",
        ]
    return (
        "---\n" + yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=1000) + "---\n\n" + "\n".join(lines)
    )


def require_fresh(target: Path, overwrite: bool) -> None:
    """Refuse to replace a finished expert unless told to."""
    if target.exists() and not overwrite:
        raise UserError(f"{target}: already exists (use --overwrite to replace it)")
