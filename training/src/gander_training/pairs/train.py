"""Train an expert of an encoder-decoder and its gate on pairs of input and target, as PHATGOOSE's released code does.

Its settings (github.com/r-three/phatgoose, commit 4fd5790: ``colm/experiments/train.gin``, ``train_single_task*.gin``,
``colm/models/moe_lora_rank16.gin``) are the defaults here: LoRA of rank 16 on every linear layer but the head, scaled
by 1/r, A initialised with standard deviation 0.01; AdamW at 5e-3 without weight decay, warm-up over 6 %, then constant,
gradients clipped at 1; 1024 examples per step, of at most 512 tokens; 1000 steps for the adapter, 100 for the gate. The
released code saves a checkpoint every 100 steps and keeps the best by validation; here the last one is kept. The base's
dropout is on while the adapter trains, and off while the gate does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from gander_routing.pool import Module
from gander_routing.retrieval import Retriever
from torch import Tensor, nn

from gander_training.experts.train import Card, Said, adapter_optimiser, card_of, interleave
from gander_training.experts.workbench import ADAPTER, Workbench, input_hooks
from gander_training.files import whole_folder
from gander_training.fitting.loop import batches, fit
from gander_training.fitting.schedule import steady
from gander_training.gates.examples import gather_examples
from gander_training.gates.train import train_gate, write_gate
from gander_training.pairs.data import IGNORED, Pair, Pairs, read_pairs, score_pairs
from gander_training.texts.windows import Score

RANK, ALPHA = 16, 1
INITIAL = 0.01
EVALUATED = 64
ACTIVATION_PAIRS = 256
EXAMPLES = 1000  # per expert, as in the paper's retrieval


@dataclass(frozen=True)
class PairOptions:
    """``steps`` updates on ``batch`` examples, ``part`` at once; inputs and targets have at most ``length`` tokens."""

    steps: int = 1000
    batch: int = 1024
    length: int = 512
    learning_rate: float = 5e-3
    seed: int = 0
    part: int = 8


def begin(bench: Workbench, seed: int) -> None:
    """Start a fresh adapter as in the authors' code: B zero, A small."""
    bench.reset(seed)
    for layer in bench.modules().values():
        nn.init.normal_(cast(Tensor, layer.lora_A[ADAPTER].weight), std=INITIAL)


def load_pairs(bench: Workbench, data: Sequence[Path], options: PairOptions) -> tuple[list[Pair], Pairs, list[Tensor]]:
    """All pairs, their ids, and which of them each step uses; several files contribute in equal shares."""
    files = [read_pairs(path) for path in data]
    pairs = [pair for file in files for pair in file]
    generator = torch.Generator().manual_seed(options.seed)
    first, shuffled = 0, []
    for file in files:
        shuffled.append(first + torch.randperm(len(file), generator=generator))
        first += len(file)
    rows = batches(interleave(shuffled)[:, None], options.batch, options.steps)
    return pairs, Pairs.of(bench.tokenizer, pairs, options.length), rows


def train_pair_expert(
    bench: Workbench,
    data: Sequence[Path],
    target: Path,
    card: Card,
    options: PairOptions,
    runs: Path,
    held_out: Mapping[str, Path],
) -> dict[str, dict[str, Score]]:
    """Train on ``data`` and write ``target``; returns the scores before and after on each of ``held_out``."""
    _, pairs, rows = load_pairs(bench, data, options)
    samples = {
        split: Pairs.of(bench.tokenizer, read_pairs(path)[:EVALUATED], options.length)
        for split, path in held_out.items()
    }
    figures: dict[str, dict[str, Score]] = {}
    bench.model.eval()
    with bench.model.disable_adapter():
        for split, sample in samples.items():
            figures[split] = {"before": score_pairs(bench.model, sample, options.part)}
    begin(bench, options.seed)
    runs.mkdir(parents=True, exist_ok=True)
    checkpoint = runs / f"{target.name}.expert.pt"

    def loss_of(some: Tensor) -> Tensor:
        return bench.call(**pairs.batch(some), use_cache=False).loss  # type: ignore[attr-defined, no-any-return]

    losses = fit(
        loss_of,
        adapter_optimiser(bench, options.learning_rate),
        rows,
        checkpoint,
        f"{options} {[str(path) for path in data]} {bench.base_name}",
        f"{target.name}: adapter",
        part=options.part,
        schedule=steady,
    )
    bench.model.eval()
    for split, sample in samples.items():
        figures[split]["after"] = score_pairs(bench.model, sample, options.part)
    with whole_folder(target) as folder:
        bench.save(folder)
        bench.verify(folder, **pairs.batch(rows[0][:1]))
        text = card_of(bench, data, card, _said(options), losses, figures)
        (folder / "README.md").write_text(text, encoding="utf-8")
    checkpoint.unlink(missing_ok=True)
    return figures


def _said(options: PairOptions) -> Said:
    return Said(
        f"{options.steps} of {options.batch} examples, inputs and targets of at most {options.length} tokens",
        f"AdamW, learning rate {options.learning_rate:g}, warm-up 6 %, then steady, clip 1.0, no weight decay",
        options.seed,
        f"of the targets of at most {EVALUATED} examples of each split",
    )


@torch.no_grad()
def mean_pair_inputs(bench: Workbench, pairs: Pairs, rows: Tensor, part: int) -> dict[str, Tensor]:
    """The mean of each module's input [d_in] over its sequence's tokens, without padding, with the expert active."""
    sums: dict[str, Tensor] = {}
    kept: list[Tensor] = []  # by sequence, for the current batch
    counts = [0, 0]

    def collect(path: str):  # type: ignore[no-untyped-def]
        sequence = Module.at(path).sequence

        def add(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            total = inputs[0][kept[sequence]].float().sum(0)
            sums[path] = sums[path] + total if path in sums else total

        return add

    bench.model.eval()
    handles = list(input_hooks(bench, collect, inner=False))
    try:
        for some in rows.split(part):
            inputs = pairs.batch(some)
            kept[:] = [inputs["attention_mask"].bool(), inputs["labels"] != IGNORED]
            counts = [count + int(mask.sum()) for count, mask in zip(counts, kept, strict=True)]
            bench.model(**inputs, use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return {path: total / counts[Module.at(path).sequence] for path, total in sums.items()}


def train_pair_gate_folder(
    bench: Workbench,
    data: Sequence[Path],
    folder: Path,
    options: PairOptions,
    runs: Path,
    retriever: Retriever | None,
) -> dict[str, Tensor]:
    """Write gate, activation and (with a retriever) examples of inputs into the expert's ``folder``; returns the gate.

    The folder's adapter must be loaded in ``bench``.
    """
    texts, pairs, rows = load_pairs(bench, data, options)
    runs.mkdir(parents=True, exist_ok=True)
    checkpoint = runs / f"{folder.name}.gate.pt"
    gate = train_gate(
        bench,
        pairs.batch,
        rows,
        options.learning_rate,
        checkpoint,
        f"{options} {[str(path) for path in data]} {bench.base_name}",
        f"{folder.name}: gate",
        part=options.part,
        schedule=steady,
    )
    some = torch.cat(rows).flatten()[:ACTIVATION_PAIRS].unique()
    means = mean_pair_inputs(bench, pairs, some, options.part)
    inputs = [pair.input for pair in texts]
    examples = None
    if retriever is not None:
        examples = gather_examples(inputs, bench.tokenizer, retriever, EXAMPLES, options.length)
    write_gate(folder, gate, means, examples)
    checkpoint.unlink(missing_ok=True)
    return gate
