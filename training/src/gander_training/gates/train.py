"""Train an expert's PHATGOOSE gate, and collect what the other strategies need.

Source: Muqeeth et al., "Learning to Route Among Specialized Experts for Zero-Shot Generalization"
(arXiv 2402.05859), section 3.1: h = W u + s B A (sigmoid(v . u) u), with W, A and B frozen and v initially zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from gander_routing.errors import UserError
from gander_routing.retrieval import Retriever
from safetensors.torch import save_file
from torch import Tensor, nn

from gander_training.experts.workbench import ADAPTER, Workbench, input_hooks
from gander_training.files import whole_file
from gander_training.fitting.loop import MasterAdamW, batches, fit
from gander_training.gates.examples import gather_examples
from gander_training.texts.windows import pack, read_texts, separator

F16_MAX = 6e4


@dataclass(frozen=True)
class GateOptions:
    """The paper's settings, 100 steps of AdamW at 5e-3; here with ``batch`` windows of ``length`` tokens per step."""

    steps: int = 100
    batch: int = 2
    length: int = 256
    learning_rate: float = 5e-3
    seed: int = 1
    activation_windows: int = 32
    examples: int = 300


class Gates(nn.Module):
    """One vector [d_in] per module, initially zero."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self.paths = list(bench.modules())
        self.vectors = nn.ParameterList(
            nn.Parameter(torch.zeros_like(cast(Tensor, layer.lora_A[ADAPTER].weight)[0]))
            for layer in bench.modules().values()
        )

    def hook(self, path: str):  # type: ignore[no-untyped-def]
        """A pre-hook for the module's A: u [..., d_in] becomes sigmoid(v . u) u."""
        vector = self.vectors[self.paths.index(path)]

        def scale(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor]:
            (u,) = inputs
            return (torch.sigmoid(u @ vector)[..., None] * u,)

        return scale


def train_gate(
    bench: Workbench,
    inputs_of: Callable[[Tensor], dict[str, Tensor]],
    rows: list[Tensor],
    learning_rate: float,
    checkpoint: Path,
    key: str,
    label: str,
    **how: Any,
) -> dict[str, Tensor]:
    """Train v of every module, float32 [d_in], on batches of ``rows`` with base and adapter frozen.

    ``inputs_of`` makes the model's inputs, including labels, from rows; ``how`` is for ``fit``.
    """
    for parameter in bench.model.parameters():
        parameter.requires_grad_(False)
    gates = Gates(bench)
    optimiser = MasterAdamW(list(gates.vectors), learning_rate)
    bench.model.eval()  # no dropout, as in the paper
    handles = list(input_hooks(bench, gates.hook, inner=True))

    def loss_of(some: Tensor) -> Tensor:
        # Not the compiled graph, which would skip these hooks.
        return bench.model(**inputs_of(some), use_cache=False).loss  # type: ignore[no-any-return]

    try:
        fit(loss_of, optimiser, rows, checkpoint, key, label, **how)
    finally:
        for handle in handles:
            handle.remove()
    return {path: master.detach().clone() for path, master in zip(gates.paths, optimiser.masters, strict=True)}


@torch.no_grad()
def mean_inputs(bench: Workbench, windows: Tensor, batch: int = 4) -> dict[str, Tensor]:
    """The mean of each module's input [d_in] over the tokens of ``windows``, with the expert active.

    The first position of a window and the separators are left out: models of this kind have outsized activations there
    (400 times the median length in one module of SmolLM2-135M), which would dominate the mean.
    """
    sums: dict[str, Tensor] = {}
    kept: list[Tensor] = []

    def collect(path: str):  # type: ignore[no-untyped-def]
        def add(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            total = inputs[0][kept[-1]].float().sum(0)
            sums[path] = sums[path] + total if path in sums else total

        return add

    lead = separator(bench.tokenizer)
    handles = list(input_hooks(bench, collect, inner=False))
    count = 0
    bench.model.eval()
    try:
        for ids in windows.split(batch):
            mask = torch.ones_like(ids, dtype=torch.bool)
            mask[:, 0] = False
            if lead:
                mask &= ids != lead[0]
            kept.append(mask)
            count += int(mask.sum())
            bench.model(input_ids=ids, use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return {path: total / count for path, total in sums.items()}


def compact(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Half precision if every value fits into it, otherwise float32."""
    fits = all(float(t.abs().max()) < F16_MAX for t in tensors.values())
    return {name: t.half() if fits else t.float() for name, t in tensors.items()}


def train_gate_folder(
    bench: Workbench,
    data: Sequence[Path],
    folder: Path,
    options: GateOptions,
    runs: Path,
    retriever: Retriever | None,
) -> dict[str, Tensor]:
    """Write gate, activation and (with a retriever) examples into the expert's ``folder``; returns the gate.

    The folder's adapter must be loaded in ``bench``.
    """
    texts = [text for path in data for text in read_texts(path)]
    windows = pack(bench.tokenizer, texts, options.length, options.seed)
    runs.mkdir(parents=True, exist_ok=True)
    checkpoint = runs / f"{folder.name}.gate.pt"
    key = f"{options} {[str(path) for path in data]} {bench.base_name}"
    gate = train_gate(
        bench,
        lambda ids: {"input_ids": ids, "labels": ids},
        batches(windows, options.batch, options.steps),
        options.learning_rate,
        checkpoint,
        key,
        f"{folder.name}: gate",
    )
    means = mean_inputs(bench, windows[: options.activation_windows])
    examples = None
    if retriever is not None:
        examples = gather_examples(texts, bench.tokenizer, retriever, options.examples, options.length)
    write_gate(folder, gate, means, examples)
    checkpoint.unlink(missing_ok=True)
    return gate


def write_gate(
    folder: Path, gate: dict[str, Tensor], means: dict[str, Tensor], examples: dict[str, Tensor] | None
) -> None:
    """Write the results of a gate's training into the expert's folder, each file whole or not at all."""
    if all(float(v.abs().max()) == 0 for v in gate.values()):
        raise UserError(f"{folder}: the gate stayed at zero: does the adapter have any effect?")
    outputs = {"gate.safetensors": gate, "activation.safetensors": compact(means)}
    if examples is not None:
        outputs["examples.safetensors"] = examples
    for name, tensors in outputs.items():
        with whole_file(folder / name) as path:
            save_file({key: value.contiguous() for key, value in tensors.items()}, path)
