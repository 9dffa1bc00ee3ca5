"""The ways to open a mixture: gander-serve, and each exporter's file in the engine."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gander_routing.errors import UserError
from safetensors import safe_open
from safetensors.numpy import load_file

from gander_training.compatibility.engine import command, refusal
from gander_training.compatibility.exporters import genai as build_genai
from gander_training.mixtures.export import check, write_float32
from gander_training.mixtures.fixtures import BESIDE, GENAI
from gander_training.mixtures.fixtures import mobius as build_mobius
from gander_training.quiet import quiet
from gander_training.sweep.compared import EXACT, compare
from gander_training.sweep.models import TEXT, ids_of, load
from gander_training.sweep.truth import Site, read_truth

US, TRANSFORMERS = "Gander", "transformers"
CHUNK = 7


@dataclass
class Opened:
    """What came of one way. ``whose`` says who would have to change something, if it is not exact."""

    outcome: str
    """``exact``, ``refused``, ``not exported`` or ``wrong``."""
    why: str = ""
    whose: str = ""
    off: float | None = None
    ties: int = 0
    choices: int = 0
    warnings: list[str] = field(default_factory=list)


def one_line(error: BaseException) -> str:
    """An error's last line that says something, short enough for a table."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:300]


def judged(sites: list[Site], log_prob: np.ndarray, truth: Path) -> Opened:
    """Compares what was read with what transformers computed."""
    ids, wanted, theirs = read_truth(truth)
    of_text = wanted[np.arange(len(ids) - 1), ids[1:]]
    found = compare(sites, theirs, log_prob, of_text)
    outcome = "exact" if found.is_exact else "wrong"
    why = "; ".join(found.wrong) or ("" if found.is_exact else f"off by {found.off:.1e}")
    return Opened(outcome, why, "" if found.is_exact else US, found.off, found.ties, found.choices)


class Alone:
    """Nobody else waits for a run."""

    def check(self) -> None: ...

    def progress(self, done: int, total: int) -> None: ...

    def partial(self, trace: Callable[[], Any]) -> None: ...


def by_serve(folder: Path, truth: Path) -> Opened:
    """gander-serve's hooks, in chunks where the model allows it."""
    from gander_serve.asked import Route
    from gander_serve.engine import Engine
    from gander_serve.errors import ServeError
    from gander_serve.loading import Where, load_hugging_face
    from gander_serve.moe import MoeModel

    try:
        with quiet():
            model = MoeModel(load_hugging_face(str(folder), Where()))
            if model.family == "dense":
                return Opened("refused", "no routers were found", US)
            trace = Engine(model, CHUNK).route(Route(TEXT), Alone())
    except ServeError as error:
        return Opened("refused", error.message, US)
    sites = []
    for block in trace.blocks:
        for row, site in enumerate(trace.sites[block.first : block.last]):
            if block.score is None or block.weight is None:
                return Opened("wrong", "no scores or no weights", US)
            ranked = block.score if block.selection is None else block.selection
            sites.append(Site(site.path, block.score[row], block.chosen[row], block.weight[row], ranked[row]))
    log_prob = trace.sequences[0].log_prob
    assert log_prob is not None
    opened = judged(sites, log_prob[1:], truth)
    opened.warnings = [warning["text"] for warning in model.warnings]
    return opened


def exported(write: Callable[[Path, Path], None], exporter: str) -> Callable[[Path, Path], Opened]:
    """A way by an exporter: its file in onnxruntime, and if that computes what the model does, in the engine."""

    def opened(folder: Path, truth: Path) -> Opened:
        with tempfile.TemporaryDirectory() as temporary:
            made = Path(temporary, "made")
            made.mkdir()
            try:
                with quiet(), torch.no_grad():
                    write(folder, made)
                for name in BESIDE:
                    if not (made / name).exists():
                        shutil.copy(folder / name, made)
            except (Exception, SystemExit) as error:  # exporters raise all kinds of errors
                return Opened("not exported", one_line(error), exporter)
            try:
                with torch.no_grad():
                    off = check(made, load(folder), ids_of(folder)).largest
            except UserError as error:
                return Opened("not exported", one_line(error).replace(f"{made}/", ""), exporter)
            except Exception as error:  # onnxruntime's have no common class
                return Opened("not exported", one_line(error), "onnxruntime")
            if off > EXACT:
                return Opened("not exported", f"its file differs from the model by {off:.1g} nats", exporter)
            return in_engine(made, truth)

    return opened


def in_engine(folder: Path, truth: Path) -> Opened:
    """A folder in the built engine."""
    with tempfile.TemporaryDirectory() as temporary:
        trace = Path(temporary, "trace.safetensors")
        where: list[str | Path] = ["--model", folder, "--cache", temporary, "--trace", trace]
        done = command(["route", "--text", TEXT, "--threads", "1", "--json", *where])
        if done.returncode:
            return Opened("refused", refusal(done), US)
        with safe_open(trace, "np") as file:
            header = json.loads(file.metadata()["gander-trace"])
        tensors = load_file(trace)
    sites = []
    for index, block in enumerate(header["blocks"]):
        for row, site in enumerate(header["sites"][block["from"] : block["to"]]):
            score, chosen, weight = (tensors[f"block.{index}.{name}"][row] for name in ("score", "chosen", "weight"))
            ranked = tensors.get(f"block.{index}.selection")
            sites.append(Site(site["path"], score, chosen, weight, score if ranked is None else ranked[row]))
    opened = judged(sites, tensors["sequence.0.log_prob"][1:], truth)
    opened.warnings = list(json.loads(done.stdout)["warnings"])
    return opened


def write_transformers(folder: Path, target: Path) -> None:
    """transformers' own exporter."""
    write_float32(load(folder), target)


def write_genai(folder: Path, target: Path) -> None:
    """onnxruntime-genai's builder."""
    build_genai(folder, target, "fp32", GENAI)


@dataclass(frozen=True)
class Way:
    """``open`` takes a model's folder and the file of what transformers computed."""

    name: str
    packages: tuple[str, ...]
    open: Callable[[Path, Path], Opened]
    runs_engine: bool = True

    def versions(self) -> dict[str, str] | None:
        """The versions that its results depend on, or None if a package is not installed."""
        try:
            return {name: version(name) for name in self.packages}
        except PackageNotFoundError:
            return None


WAYS: Mapping[str, Way] = {
    way.name: way
    for way in (
        Way("gander-serve", ("transformers",), by_serve, runs_engine=False),
        Way(
            "transformers",
            ("transformers", "onnxscript", "torch"),
            exported(write_transformers, "transformers' exporter"),
        ),
        Way("mobius", ("mobius-onnx", "transformers"), exported(build_mobius, "mobius")),
        Way("onnxruntime-genai", ("onnxruntime-genai", "transformers"), exported(write_genai, "onnxruntime-genai")),
    )
}
