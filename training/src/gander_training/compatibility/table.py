"""Formats ``docs/compatibility.md`` from the results of all cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from gander_routing.files import read_json

from gander_training.compatibility.architectures import ARCHITECTURES, LAYERS, Architecture
from gander_training.compatibility.engine import ROOT
from gander_training.compatibility.exporters import EXPORTERS, Exporter
from gander_training.compatibility.kinds import KINDS, Kind
from gander_training.compatibility.pool import TEXT
from gander_training.tiny.pool import build_tokenizer

Results = dict[tuple[str, str, str], dict[str, Any]]  # by architecture, exporter and kind

INTRODUCTION = """# Which bases run

`gander-training compatibility` writes this page ([training/README.md](../training/README.md)); do not edit it.
Encoder-decoders have [a page of their own](compatibility-encoder-decoders.md).

For each cell, a model of {layers} layers with random weights was exported, converted to one kind of file, and run by the engine
with three LoRA adapters saved by PEFT, under phatgoose, on {tokens} tokens. Its log-probabilities, affinities and choices are
compared with a plain PyTorch forward pass, which in turn, with one adapter, is compared with PEFT. A file with rounded weights,
half precision included, is compared with a model of the same rounded weights; what rounding itself costs is measured separately.

| cell | means |
| --- | --- |
| 2e-5 | exact: every module placed; the number is the largest difference of a log-probability or affinity |
| ≈ 0.02 (file 0.01; 3 of 2,170) | about as close as the file without experts is to the model in onnxruntime, and how many choices differ. All of them are near ties; differences that only follow from one are not counted |
| file 0.4 | the file, without experts, differs this much from the model it was exported from; the engine computes what the file does |
| 8 of 14 | modules placed; the engine names the others |
| refused | by `gander inspect`, before anything runs |
| late | refused when it runs, although `gander inspect` did not object |
| – | the exporter cannot write the file, or onnxruntime cannot run what it writes |
| **wrong** | differs from PEFT without a warning |

Letters refer to the reasons below each table. Made with {head}.
"""

ROUNDING = """## What rounding costs

The same runs, compared with PEFT on the float32 model before its weights were rounded: median and largest difference over all
architectures and exporters. These models are random, and their experts change a module's output by half, so choosing another
expert moves a log-probability further than it would in a trained model. The last column is the cost of onnxruntime's own
arithmetic: the largest difference of a log-probability between the file, without experts, and a model of its weights.
"""


def versions() -> str:
    """The versions of the engine and of PEFT's side."""
    manifest = read_json(ROOT / "package.json")
    node = manifest["dependencies"]["onnxruntime-node"]
    own = ", ".join(f"{name} {version(name)}" for name in ("peft", "transformers", "torch", "onnxruntime"))
    return f"Gander {manifest['version']} on onnxruntime-node {node}; {own} in Python"


def number(value: float) -> str:
    """A difference, rounded to one or two digits."""
    return f"{value:.0e}".replace("e-0", "e-") if value < 1e-3 else f"{value:.2g}"


def reason(text: str) -> str:
    """A reason without names of modules, tensors and folders, which differ from cell to cell."""
    text = re.sub(r"\x1b\[[\d;]*m", "", text)  # a terminal's colours
    text = re.sub(r"[\w.+-]*(/[\w.+-]+){2,}/?", "…", text)
    text = re.sub(r"has \d+ initializer\(s\) without weights: .*", "has initializers without weights", text)
    text = re.sub(r"\b[\w]+(\.[\w]+)*\.\d+(\.[\w]+)+", "…", text)
    return text.replace("|", "\\|")


def largest(result: dict[str, Any]) -> float:
    """The largest difference of a cell."""
    return max(result["off"]["log_prob"], result["off"]["affinity"])


def others(result: dict[str, Any]) -> str:
    """How many of the choices differ."""
    return f"{result['off']['flipped']:,} of {result['off']['choices']:,}"


WORDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "exact": lambda result: number(largest(result)),
    "near": lambda result: f"≈ {number(largest(result))} (file {number(result['file'])}; {others(result)})",
    "file differs": lambda result: f"file {number(result['file'])}",
    "in part": lambda result: f"{result['placed']} of {result['adapted']}",
    "refused": lambda result: "refused",
    "failed": lambda result: "late",
    "not exported": lambda result: "–",
    "wrong, said": lambda result: f"off by {number(largest(result))}, said",
    "wrong": lambda result: f"**wrong: {result['placed']} of {result['adapted']}, {number(largest(result))}**",
}


class Reasons:
    """Letters for reasons, in order of appearance."""

    def __init__(self) -> None:
        self.letters: dict[str, str] = {}

    def letter(self, result: dict[str, Any]) -> str:
        """`` a`` for a result with a reason, otherwise nothing."""
        said = result["why"] or next(iter(result["warnings"]), "")
        if not said:
            return ""
        count = len(self.letters)
        name = (chr(96 + count // 26) if count >= 26 else "") + chr(97 + count % 26)
        return " " + self.letters.setdefault(reason(said), name)

    def lines(self) -> list[str]:
        """The list below the table."""
        return [f"- {letter}: {text}" for text, letter in self.letters.items()]


def cell(result: dict[str, Any] | None, reasons: Reasons) -> str:
    """One cell's text."""
    return WORDS[result["outcome"]](result) + reasons.letter(result) if result else "not run"


def spread(values: Sequence[float]) -> str:
    """Median and largest, as text."""
    ranked = sorted(values)
    return f"{number(ranked[len(ranked) // 2])}, {number(ranked[-1])}" if ranked else ""


def summary(kinds: Sequence[Kind], results: Results) -> list[str]:
    """How often each kind of file had each outcome."""
    words = ["exact", "near", "file differs", "in part", "refused", "failed", "wrong, said", "wrong", "not exported"]
    heads = ["exact", "≈", "file", "in part", "refused", "late", "off, said", "wrong", "–"]
    lines = ["## Summary", "", f"| | {' | '.join(heads)} | what it is |", "| --- " * 11 + "|"]
    for kind in kinds:
        own = [result for (_, _, name), result in results.items() if name == kind.name]
        counts = [str(sum(result["outcome"] == word for result in own)) for word in words]
        lines.append(f"| {kind.name} | {' | '.join(counts)} | {kind.what} |")
    return [*lines, ""]


def rounding(kinds: Sequence[Kind], results: Results) -> list[str]:
    """How far rounded files are from the float32 model: without experts in onnxruntime, and routed by the engine."""
    lines = [
        ROUNDING,
        "| | log-probability | affinity | choices that differ | the file by itself |",
        "| --- " * 5 + "|",
    ]
    for kind in kinds:
        own = [result for (_, _, name), result in results.items() if name == kind.name and result["unrounded"]]
        if kind.weights is None or not own:
            continue
        log_prob, affinity = (spread([result["unrounded"][key] for result in own]) for key in ("log_prob", "affinity"))
        flipped, choices = (sum(result["unrounded"][key] for result in own) for key in ("flipped", "choices"))
        file = spread([result["file"] for result in own])
        lines.append(f"| {kind.name} | {log_prob} | {affinity} | {flipped:,} of {choices:,} | {file} |")
    return [*lines, ""]


def document(results: Results) -> str:
    """The whole page."""
    left_out = [exporter for exporter in EXPORTERS if exporter.versions() is None]
    lines = [INTRODUCTION.format(layers=LAYERS, tokens=len(build_tokenizer().encode(TEXT).ids), head=versions())]
    if left_out:
        names = ", ".join(f"{exporter.name} ({' and '.join(exporter.packages)})" for exporter in left_out)
        lines += [f"Left out, because it was not installed: {names}.", ""]
    lines += summary(KINDS, results) + rounding(KINDS, results)
    for exporter in EXPORTERS:
        if exporter not in left_out:
            lines += section(exporter, ARCHITECTURES, KINDS, results)
    return "\n".join(lines).rstrip() + "\n"


def section(exporter: Exporter, rows: Sequence[Architecture], kinds: Sequence[Kind], results: Results) -> list[str]:
    """An exporter's table."""
    reasons = Reasons()
    head = ", ".join(f"{name} {number}" for name, number in (exporter.versions() or {}).items())
    lines = [f"## {exporter.name}", "", f"{head}.", ""]
    lines += ["| | " + " | ".join(kind.name for kind in kinds) + " |", "| --- " * (len(kinds) + 1) + "|"]
    for row in rows:
        texts = [cell(results.get((row.name, exporter.name, kind.name)), reasons) for kind in kinds]
        lines.append(f"| {row.title} | " + " | ".join(texts) + " |")
    return [*lines, "", *reasons.lines(), ""]
