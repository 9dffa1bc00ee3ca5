"""Writes one architecture's pools by one exporter, one per kind of file, with PEFT's results, in its own process."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from gander_training.compatibility import architectures, exporters, kinds
from gander_training.compatibility.architectures import HEADS, WIDTH, Architecture
from gander_training.compatibility.expected import file_log_probs, write_expected
from gander_training.compatibility.exporters import Exporter
from gander_training.compatibility.kinds import Kind
from gander_training.compatibility.pool import write_experts, write_manifest, write_source
from gander_training.files import whole_folder, write_json
from gander_training.quiet import quiet


def slug(name: str) -> str:
    """A name in the form of a folder name."""
    return name.lower().replace(", ", "-").replace(" ", "-").replace("/", "")


def one_line(error: BaseException) -> str:
    """An exporter's error, short enough for a table."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1] if lines else ''}"[:300]


class Bench:
    """One architecture and what its cells share, made when it is first needed."""

    def __init__(self, folder: Path, architecture: Architecture) -> None:
        self.architecture = architecture
        self.model = architectures.build(architecture)
        self.shared = folder / architecture.name / "shared"
        if not self.shared.exists():
            with whole_folder(self.shared) as shared:
                write_source(self.model, shared / "source")
                write_experts(architecture, self.model, shared / "experts")
                write_expected(self.model, shared / "experts", architecture.routed, shared / "expected")

    def write_cell(self, target: Path, file: Path, kind: Kind) -> dict[str, Any]:
        """Write the pool, PEFT's results, and ``file``: onnxruntime's results for the file without experts."""
        base = target / "pool/base"
        shutil.copytree(self.shared / "experts", target / "pool/experts")
        shutil.copytree(file.parent, base)
        for name in ("config.json", "tokenizer.json"):
            shutil.copyfile(self.shared / "source" / name, base / name)
        write_manifest(self.architecture, target / "pool")
        with quiet():
            own = file_log_probs(base / "model.onnx", WIDTH // HEADS)
        save_file({"log_prob": own}, target / "file")
        shutil.copytree(self.shared / "expected", target / "unrounded")
        if kind.weights:
            model = kind.weights(architectures.build(self.architecture), base / "model.onnx")
            write_expected(model, self.shared / "experts", self.architecture.routed, target / "expected")
        else:
            shutil.copytree(self.shared / "expected", target / "expected")
        return {"file": float((own - load_file(target / "expected/base")["log_prob"]).abs().max())}


def write_file(bench: Bench, exporter: Exporter, kind: Kind, exports: Path, target: Path) -> None:
    """Write ``target/model.onnx`` of a kind: the exporter's own, or made from its float32 file."""
    precision = exporter.kinds.get(kind.name, "fp32")
    exported = exports / precision
    if not (exported / "model.onnx").exists():
        shutil.rmtree(exported, ignore_errors=True)
        exporters.export(exporter, bench.shared / "source", exported, precision)
    target.mkdir()
    if kind.name in exporter.kinds or kind.make is kinds.same:
        for file in exported.glob("model.onnx*"):
            shutil.copy(file, target)
    else:
        with quiet():
            kind.make(exported / "model.onnx", target / "model.onnx")


def prepare(folder: Path, architecture: str, exporter: str, wanted: list[str]) -> None:
    """Write ``folder/architecture/exporter/kind/`` for each wanted kind that is missing.

    It contains ``pool/``, ``expected/`` and ``about.json``; only ``about.json`` if the kind cannot be made.
    """
    torch.set_num_threads(1)
    bench = Bench(folder, architectures.named(architecture))
    by = exporters.named(exporter)
    with tempfile.TemporaryDirectory() as temporary:
        for kind in (kind for kind in kinds.KINDS if kind.name in wanted):
            made = Path(temporary, slug(kind.name))
            with whole_folder(folder / architecture / slug(exporter) / slug(kind.name)) as target:
                try:
                    write_file(bench, by, kind, Path(temporary, "exports"), made)
                    about = bench.write_cell(target, made / "model.onnx", kind)
                except (Exception, SystemExit) as error:  # exporters raise all kinds of errors
                    shutil.rmtree(target)
                    target.mkdir()
                    about = {"refused": one_line(error)}
                write_json(target / "about.json", {**about, "versions": by.versions()})
