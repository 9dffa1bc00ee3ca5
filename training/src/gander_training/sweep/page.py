"""``docs/compatibility-mixtures.md``: every mixture of transformers in every way, and the folders of the tests."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gander_routing.files import read_json

from gander_training.compatibility.engine import ROOT
from gander_training.compatibility.mixtures import fixed_table
from gander_training.compatibility.table import number, reason
from gander_training.files import whole_file
from gander_training.sweep import command
from gander_training.sweep.families import Family
from gander_training.sweep.ways import WAYS

INTRODUCTION = """# How exactly Gander reads mixtures of experts

`gander-training compatibility --of mixtures` writes this page ([training/README.md](../training/README.md)); do not edit it.

## Every mixture of transformers

Transformers {transformers} has {count} configurations with experts. Of each, a model of two to four layers with random weights was
opened in {ways} ways: by gander-serve's hooks, and by the engine from the file of each exporter ({versions}). What Gander
reads is compared with what transformers' own modules of experts are given in a plain forward pass: the choices must be the same,
router logits (or their softmax, where transformers reports that), weights and log-probabilities within {exact}. **{opened} of {count} open exactly** in at least one way, {served} in
gander-serve and {engine} in the engine. Numbers of choices that differ because two scores are nearly the same: {ties}.

| cell | means |
| --- | --- |
| 2e-6 | exact: the largest difference |
| – | the exporter does not write it, or writes a file that does not compute what the model does |
| refused | Gander says that it cannot read it, before anything runs |
| **wrong** | differs from transformers |
| not run | the run was stopped before; the same command continues |

Letters refer to the reasons below the table. A configuration that is a part of another model is loaded with that model, in brackets.
optimum-onnx, which writes three of these architectures, needs another transformers; its folders are in the second table. Made with
Gander {gander} on onnxruntime-node {onnxruntime}.
"""

Result = Mapping[str, Any]


class Reasons:
    """Letters for reasons, in order of appearance."""

    def __init__(self) -> None:
        self.letters: dict[str, str] = {}

    def letter(self, whose: str, why: str) -> str:
        """The letter of a reason and of whose it is."""
        count = len(self.letters)
        name = (chr(96 + count // 26) if count >= 26 else "") + chr(97 + count % 26)
        return self.letters.setdefault(f"{whose}: {reason(why)}", name)

    def lines(self) -> list[str]:
        """The list below the table."""
        return [f"- {letter}. {text}" for text, letter in self.letters.items()]


def cell(result: Result | None, reasons: Reasons) -> str:
    """One cell's text."""
    if result is None:
        return "not run"
    if result["outcome"] == "exact":
        return number(result["off"]) if result["off"] else "0"
    text = {"not exported": "–", "refused": "refused", "wrong": "**wrong**"}[result["outcome"]]
    return f"{text} {reasons.letter(result['whose'], result['why'])}"


def name_of(family: Family) -> str:
    """A configuration's name, and that of the model that contains it."""
    return family.name if family.loaded in (None, family.name) else f"{family.name} ({family.loaded})"


def is_exact(found: Mapping[str, Result], *ways: str) -> bool:
    """Whether one of the ways is exact."""
    return any(found[way]["outcome"] == "exact" for way in ways if way in found)


def swept_table(rows: Sequence[tuple[Family, Mapping[str, Result]]]) -> list[str]:
    """The table of all configurations, with the reasons below it."""
    reasons = Reasons()
    lines = ["| | " + " | ".join(WAYS) + " |", "| --- " * (len(WAYS) + 1) + "|"]
    for family, found in rows:
        if family.why:
            text = f"– {reasons.letter(family.whose, family.why)}"
            lines.append(f"| {name_of(family)} | {text} |" + " |" * (len(WAYS) - 1))
        else:
            cells = [cell(found.get(way), reasons) for way in WAYS]
            lines.append(f"| {name_of(family)} | " + " | ".join(cells) + " |")
    return [*lines, "", *reasons.lines(), ""]


def document(rows: Sequence[tuple[Family, Mapping[str, Result]]]) -> str:
    """The section about every mixture."""
    manifest = read_json(ROOT / "package.json")
    results = [result for _, found in rows for result in found.values()]
    packages = {name: number for way in WAYS.values() for name, number in (way.versions() or {}).items()}
    engine = [name for name, way in WAYS.items() if way.runs_engine]
    head = INTRODUCTION.format(
        transformers=version("transformers"),
        count=len(rows),
        ways=len(WAYS),
        versions=", ".join(f"{name} {number}" for name, number in sorted(packages.items())),
        exact="1e-4",
        opened=sum(is_exact(found, *WAYS) for _, found in rows),
        served=sum(is_exact(found, "gander-serve") for _, found in rows),
        engine=sum(is_exact(found, *engine) for _, found in rows),
        ties=sum(result["ties"] for result in results),
        gander=manifest["version"],
        onnxruntime=manifest["dependencies"]["onnxruntime-node"],
    )
    return "\n".join([head, *swept_table(rows)])


def run(args: argparse.Namespace) -> None:
    """Run what is missing, and write the page."""
    command.run_all(args)
    text = document(list(command.results(args.folder))) + "\n" + "\n".join(fixed_table()) + "\n"
    out: Path = args.out or ROOT / "docs/compatibility-mixtures.md"
    with whole_file(out) as file:
        file.write_text(text, encoding="utf-8")
    print(f"wrote {out}")
