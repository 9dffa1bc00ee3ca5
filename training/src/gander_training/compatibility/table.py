"""``docs/compatibility.md``, from the results of all cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from gander_training.compatibility.architectures import Architecture
from gander_training.compatibility.exporters import Exporter
from gander_training.compatibility.kinds import Kind

Results = dict[tuple[str, str, str], dict[str, Any]]  # by architecture, exporter and kind

INTRODUCTION = """# Which bases run

Written by `gander-training compatibility` ([training/README.md](../training/README.md)); not by hand.

Each cell is a model of {layers} layers with random weights, exported, made a file of one kind, and run by the engine with
three LoRA adapters that PEFT saved, on {tokens} tokens. Its log-probabilities with one adapter are held to PEFT's, and its
log-probabilities, affinities and choices under phatgoose to a plain PyTorch forward pass. A quantised file is held to PEFT on
the weights that the file rounds to.

| cell | means |
| --- | --- |
| 2e-5 | exact: every module placed, and the largest difference of a log-probability or affinity |
| ≈ 0.02 (3 of 2,170) | the file computes in rounded arithmetic and the engine follows it; the largest difference, and how many choices are others |
| 8 of 14 | modules placed; the engine says which are not |
| refused | by `gander inspect`, before anything runs |
| late | refused, but not by `gander inspect` |
| – | the exporter cannot make the file, or what it makes does not run in onnxruntime by itself |
| **wrong** | differs from PEFT, and nothing is said |

Letters lead to the reasons below each table.
"""


def number(value: float) -> str:
    """One digit of a difference."""
    return f"{value:.0e}".replace("e-0", "e-") if value < 1e-3 else f"{value:.2g}"


def reason(text: str) -> str:
    """A reason without what is one cell's alone: names of modules, tensors and folders, and numbers of nodes."""
    text = re.sub(r"(/[\w.+-]+){2,}/?", "…", text)
    text = re.sub(r"\b[\w]+(\.[\w]+)*\.\d+(\.[\w]+)+", "…", text)
    return text.replace("|", "\\|")


def largest(result: dict[str, Any]) -> float:
    """The largest difference of a cell."""
    return max(result["log_prob"] or 0.0, result["affinity"] or 0.0)


def others(result: dict[str, Any]) -> str:
    """How many choices are others."""
    return f"{result['flipped']:,} of {result['choices']:,}"


WORDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "exact": lambda result: number(largest(result)),
    "near": lambda result: f"≈ {number(largest(result))} ({others(result)})",
    "in part": lambda result: f"{result['placed']} of {result['adapted']}",
    "refused": lambda result: "refused",
    "failed": lambda result: "late",
    "not exported": lambda result: "–",
    "wrong, said": lambda result: f"off by {number(largest(result))}, said",
    "wrong": lambda result: f"**wrong: {result['placed']} of {result['adapted']}, {number(largest(result))}**",
}


class Reasons:
    """Letters for reasons, in the order in which they are met."""

    def __init__(self) -> None:
        self.letters: dict[str, str] = {}

    def letter(self, result: dict[str, Any]) -> str:
        """`` a`` for a result that has a reason, else nothing."""
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


def section(exporter: Exporter, rows: Sequence[Architecture], kinds: Sequence[Kind], results: Results) -> list[str]:
    """An exporter's table."""
    reasons = Reasons()
    versions = exporter.versions()
    head = ", ".join(f"{name} {version}" for name, version in versions.items()) if versions else "not installed"
    lines = [f"## {exporter.name}", "", f"{head}.", ""]
    lines += ["| | " + " | ".join(kind.name for kind in kinds) + " |", "| --- " * (len(kinds) + 1) + "|"]
    for row in rows:
        texts = [cell(results.get((row.name, exporter.name, kind.name)), reasons) for kind in kinds]
        lines.append(f"| {row.name.replace('-', ', ')} | " + " | ".join(texts) + " |")
    return [*lines, "", *reasons.lines(), ""]
