"""Train a small mixture of experts from scratch: tokenizer, tokens and a resumable run."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gander_routing.errors import UserError
from gander_routing.files import read_json
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from gander_training.corpora.documents import read_jsonl
from gander_training.files import whole_file, whole_folder
from gander_training.fitting.balance import balance
from gander_training.fitting.loop import MasterAdamW
from gander_training.mixtures.mixtral import HeadLoss, Mixtral, Shape, save

SEPARATOR = "<|endoftext|>"
TOKENIZER_CHARACTERS = 4_000_000  # per domain
SAVE_EVERY = 180.0  # seconds
RECENT = 100  # steps over which progress figures are averaged


@dataclass(frozen=True)
class MoeOptions:
    """A run's settings: ``batch`` windows of ``length`` tokens per step.

    The learning rate is constant after ``warm_up`` steps; only a finish decays it to 0.
    """

    batch: int = 16
    length: int = 512
    learning_rate: float = 1.5e-3
    warm_up: int = 300
    balance: float = 0.01
    seed: int = 0


def train_tokenizer(documents: dict[str, list[str]], size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE with ``size`` entries and single digits; every kind of text contributes the same amount."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[SEPARATOR],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )

    def fair() -> Iterator[str]:
        for texts in documents.values():
            left = TOKENIZER_CHARACTERS
            for text in texts:
                if left <= 0:
                    break
                yield text
                left -= len(text)

    tokenizer.train_from_iterator(fair(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{SEPARATOR} $A", special_tokens=[(SEPARATOR, 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=SEPARATOR,
        eos_token=SEPARATOR,
        model_input_names=["input_ids", "attention_mask"],
    )


def prepare(corpora: Path, folder: Path, shape: Shape) -> None:
    """Write ``folder``: the tokenizer, and all training documents as ids.

    ``tokens.npy`` has the documents one after another, each after a separator (uint16); ``starts.npy`` where each
    begins; ``data.json`` what the model card says about them.
    """
    files = sorted(corpora.glob("*/train.jsonl"))
    if not files:
        raise UserError(f"{corpora}: holds no */train.jsonl (run gander-training corpora first)")
    if shape.vocabulary > 2**16:
        raise UserError(f"a vocabulary of {shape.vocabulary} does not fit 16 bits")
    documents = {file.parent.name: list(read_jsonl(file)) for file in files}
    licences = {
        label: entry["licence"]
        for output in read_json(corpora / "manifest.json").values()
        for label, entry in output["packages"].items()
    }
    texts = {kind: [document.text for document in group] for kind, group in documents.items()}
    with whole_folder(folder) as made:
        tokenizer = train_tokenizer(texts, shape.vocabulary)
        if len(tokenizer) != shape.vocabulary:
            raise UserError(f"{corpora}: the text gives {len(tokenizer)} vocabulary entries, not {shape.vocabulary}")
        tokenizer.save_pretrained(made / "tokenizer")
        rows, kinds = [], {}
        for kind, group in texts.items():
            ids = [np.array(row, np.uint16) for row in tokenizer(group).input_ids]
            rows += ids
            kinds[kind] = {
                "documents": len(group),
                "bytes": sum(len(text.encode()) for text in group),
                "tokens": sum(map(len, ids)),
                "packages": {
                    label: licences[label] for label in sorted({document.package for document in documents[kind]})
                },
            }
        tokens = np.concatenate(rows)
        np.save(made / "tokens.npy", tokens)
        np.save(made / "starts.npy", np.cumsum([0, *map(len, rows)]))
        data = {"kinds": kinds, "tokens": len(tokens), "sha256": hashlib.sha256(tokens.tobytes()).hexdigest()}
        (made / "data.json").write_text(json.dumps(data, indent=1), encoding="utf-8")


class Stream:
    """The documents in a new random order each epoch, divided into rows, also in random order.

    A row is ``row`` tokens and the one after them, so that each token but the first is predicted once. The position of
    a run in the stream is the number of rows that it has read.
    """

    def __init__(self, folder: Path, row: int, seed: int) -> None:
        self.tokens = np.load(folder / "tokens.npy", mmap_mode="r")
        self.starts = np.load(folder / "starts.npy")
        self.row, self.seed = row, seed
        self.rows = (len(self.tokens) - 1) // row
        if self.rows < 1:
            raise UserError(f"{folder}: holds {len(self.tokens)} tokens, fewer than one row of {row}")
        self._epoch, self._order, self._stream = -1, np.zeros(0, np.int64), self.tokens

    def read(self, start: int, count: int) -> Tensor:
        """Rows ``start`` to ``start + count``: [count, row + 1] ids."""
        return torch.stack([self._one(*divmod(place, self.rows)) for place in range(start, start + count)])

    def _one(self, epoch: int, place: int) -> Tensor:
        if epoch != self._epoch:
            draw = np.random.default_rng((self.seed, epoch))
            documents = draw.permutation(len(self.starts) - 1)
            self._stream = np.concatenate([self.tokens[self.starts[i] : self.starts[i + 1]] for i in documents])
            self._epoch, self._order = epoch, draw.permutation(self.rows)
        start = self._order[place] * self.row
        return torch.from_numpy(self._stream[start : start + self.row + 1].astype(np.int64))


def rate(step: int, warm_up: int, decay: list[int] | None) -> float:
    """Factor on the peak learning rate: linear warm-up, constant, linear to 0 from ``decay[0]`` over ``decay[1]``."""
    factor = min(1.0, (step + 1) / max(1, warm_up))
    if decay is None:
        return factor
    return factor * max(0.0, 1 - (step + 1 - decay[0]) / (decay[1] + 1))


class Run:
    """A run in its folder: ``data/``, ``checkpoint.pt``, ``finish.pt`` during a finish, and ``progress.json``.

    A finish has its own checkpoint, so that the run can continue from where the finish began.
    """

    def __init__(self, folder: Path, corpora: Path, shape: Shape, options: MoeOptions) -> None:
        if shape.positions % options.length or options.batch * options.length % shape.positions:
            raise UserError(
                f"--length {options.length} must divide {shape.positions}, and --batch times it be a multiple of that"
            )
        self.folder, self.shape, self.options = folder, shape, options
        if not (folder / "data").is_dir():
            prepare(corpora, folder / "data", shape)
        self.data = read_json(folder / "data" / "data.json")
        self.key = json.dumps([asdict(shape), options.seed, self.data["sha256"]])
        self.stream = Stream(folder / "data", shape.positions, options.seed)
        self.model = Mixtral(shape, options.seed).half()
        self.optimiser = MasterAdamW(
            list(self.model.parameters()), options.learning_rate, betas=(0.9, 0.95), fused=True
        )
        self.rows = 0
        self.seconds = 0.0
        self.losses: list[float] = []
        self.balances: list[list[float]] = []
        self.history: list[dict[str, Any]] = []

    def load(self, file: Path) -> None:
        """Continue from a checkpoint, if there is one."""
        if not file.is_file():
            return
        saved = torch.load(file, weights_only=True)
        if saved["key"] != self.key:
            raise UserError(f"{file}: belongs to a run with another shape, seed or text; use another --runs")
        self.optimiser.load_state_dict(saved["optimiser"])
        self.rows, self.seconds = saved["rows"], saved["seconds"]
        self.losses, self.balances, self.history = saved["losses"], saved["balances"], saved["history"]

    def save(self, file: Path) -> None:
        """Write a checkpoint, then the progress file."""
        state = {
            "key": self.key,
            "optimiser": self.optimiser.state_dict(),
            "rows": self.rows,
            "seconds": self.seconds,
            "losses": self.losses,
            "balances": self.balances,
            "history": self.history,
        }
        with whole_file(file) as path:
            torch.save(state, path)
        with whole_file(file.with_suffix(".json")) as path:
            path.write_text(json.dumps(self.progress(), indent=1), encoding="utf-8")

    def progress(self) -> dict[str, Any]:
        """What a model card says about the run; losses in nats per token."""
        tokens = self.rows * self.shape.positions
        recent = self.balances[-RECENT:]
        return {
            "shape": asdict(self.shape),
            "history": self.history,
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "steps": len(self.losses),
            "tokens_seen": tokens,
            "tokens_distinct": self.data["tokens"],
            "epochs": tokens / self.data["tokens"],
            "text_sha256": self.data["sha256"],
            "loss": sum(self.losses[-RECENT:]) / max(1, len(self.losses[-RECENT:])),
            "balance_by_layer": [sum(layer) / len(layer) for layer in zip(*recent, strict=True)],
            "losses_each_100_steps": [
                round(sum(self.losses[i : i + 100]) / len(self.losses[i : i + 100]), 4)
                for i in range(0, len(self.losses), 100)
            ],
            "hours": self.seconds / 3600,
            "torch": torch.__version__,
        }

    def step(self, factor: float) -> None:
        """One update on the next rows."""
        options, shape = self.options, self.shape
        count = options.batch * options.length // shape.positions
        rows = self.stream.read(self.rows, count)
        ids = rows[:, :-1].reshape(-1, options.length)
        hidden, routers = self.model(ids)
        loss = HeadLoss.apply(hidden.flatten(0, 1), self.model.embedding, rows[:, 1:].flatten())
        balances = torch.stack([balance(logits, shape.chosen) for logits in routers])
        (loss + options.balance * balances.mean()).backward()
        try:
            self.optimiser.step(factor)
        except RuntimeError as error:
            raise UserError(f"the gradient of step {len(self.losses)} is not finite ({error})") from None
        self.rows += count
        self.losses.append(loss.item())
        self.balances.append([round(value, 4) for value in balances.tolist()])

    def train(self, steps: int, decay: list[int] | None, file: Path) -> None:
        """Train until ``steps`` are done in all, with a checkpoint every few minutes and at the end."""
        part = asdict(self.options) | {"decay": decay}
        if not self.history or {**self.history[-1], "from_step": None} != {**part, "from_step": None}:
            self.history.append({"from_step": len(self.losses), **part})
        begun = saved = time.monotonic()
        before = self.seconds
        while len(self.losses) < steps:
            self.step(rate(len(self.losses), self.options.warm_up, decay))
            now = time.monotonic()
            self.seconds = before + now - begun
            if now - saved >= SAVE_EVERY or len(self.losses) == steps:
                self.save(file)
                saved = time.monotonic()
                told = self.progress()
                print(
                    f"step {told['steps']} of {steps}: {told['tokens_seen'] / 1e6:.2f} M tokens, loss {told['loss']:.4f}, "
                    f"balance {max(told['balance_by_layer']):.3f} at most, {told['hours']:.2f} h",
                    flush=True,
                )


def train_moe(run: Run, steps: int) -> None:
    """Continue at the constant learning rate until ``steps`` are done in all."""
    file = run.folder / "checkpoint.pt"
    run.load(file)
    run.train(steps, None, file)


def finish_moe(run: Run, steps: int, target: Path) -> None:
    """Decay the learning rate to 0 in ``steps`` after the last checkpoint, and write ``target``, a Hugging Face folder.

    The checkpoint stays, and ``train_moe`` continues from it; a finish that was stopped is resumed.
    """
    run.load(run.folder / "checkpoint.pt")
    start = len(run.losses)
    file = run.folder / f"finish-{start}-{steps}.pt"
    run.load(file)
    run.train(start + steps, [start, steps], file)
    write_model(run, target)
    file.unlink()
    file.with_suffix(".json").unlink()


def write_model(run: Run, target: Path) -> None:
    """Write weights in float32, config, tokenizer, and ``training.json`` with progress and data."""
    with whole_folder(target) as folder:
        masters = dict(zip((name for name, _ in run.model.named_parameters()), run.optimiser.masters, strict=True))
        save(masters, run.shape, folder)
        for path in sorted((run.folder / "data" / "tokenizer").iterdir()):
            (folder / path.name).write_bytes(path.read_bytes())
        told = run.progress() | {"data": run.data}
        (folder / "training.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
