"""Runs a cell in the engine (``node dist/cli.cjs`` on its pool) and compares the results with PEFT's."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from gander_routing.errors import UserError
from gander_routing.files import read_json
from safetensors import safe_open
from safetensors.numpy import load_file

from gander_training.compatibility.pool import TEXT, adapted_modules
from gander_training.compatibility.ties import apart_from_ties, largest

ROOT = Path(__file__).parents[4]
LIMIT = 300  # seconds per run
EXACT = 1e-3  # in nats and in affinity: 100 × what float32 rounding causes, a tenth of what a fault would
# Rounded arithmetic explains at most this difference between a file, without experts, and its model, in nats.
UNLIKE = 0.3
# With experts, a file with rounded arithmetic may differ from PEFT by this factor more than without.
SLACK = 5
# This share of the choices may be near ties that rounding decides differently.
MOST_TIES = 0.02

Outcome = Literal[
    "not exported",  # the exporter refuses the model, or its file does not run
    "refused",  # by the engine, before it ran
    "failed",  # by the engine, while it ran
    "in part",  # some modules were not placed, and the engine said so
    "exact",
    "near",  # about as close as the file itself is to the model
    "file differs",  # the file differs from the model that it was exported from; the engine computes what the file does
    "wrong, said",  # with a warning
    "wrong",  # without a warning
]


@dataclass
class Difference:
    """How far two runs are apart: the largest difference of each kind, and how many choices differ."""

    log_prob: float
    affinity: float
    flipped: int
    choices: int
    untied: float  # the largest difference that does not follow from a different choice

    def largest(self) -> float:
        """The largest difference of a log-probability or affinity."""
        return max(self.log_prob, self.affinity)


@dataclass
class Result:
    """One cell of the table."""

    outcome: Outcome
    why: str = ""
    warnings: list[str] = field(default_factory=list)
    placed: int = 0
    adapted: int = 0
    file: float | None = None  # largest difference of a log-probability between the file without experts and the model
    off: Difference | None = None  # between the engine and PEFT
    unrounded: Difference | None = None  # between the engine and PEFT on the model before its weights were rounded


class Refusal(Exception):
    """The engine refused; the message is its own."""


def cli() -> Path:
    """The path of the built command line."""
    path = ROOT / "dist/cli.cjs"
    if not path.exists():
        raise UserError(f"{path}: no such file; run npm run build first")
    return path


def engine_hash() -> str:
    """A hash of the engine's build, with which results are kept."""
    return hashlib.sha256(cli().read_bytes()).hexdigest()[:16]


def command(arguments: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run ``gander`` for at most ``LIMIT`` seconds."""
    try:
        return subprocess.run(["node", cli(), *arguments], capture_output=True, text=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess([], 124, "", f"it ran for more than {LIMIT} s")


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The message of a failed command, in one line."""
    try:
        error = json.loads(done.stderr[done.stderr.index("{") :])["error"]
        said = f"{error['code']}: {error['message']} {error['remedy']}"
    except (ValueError, KeyError):
        said = done.stderr.strip() or f"exit code {done.returncode}"
    return " ".join(said.split())


def refused_at_once(pool: Path, cache: Path) -> str | None:
    """Why ``gander inspect`` refuses the pool, or None."""
    done = command(["inspect", pool, "--cache", cache, "--json"])
    return refusal(done) if done.returncode else None


def route(
    pool: Path, cache: Path, strategy: str, asked: Sequence[str] = ("--text", TEXT)
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Route with a strategy; returns the trace's ``numbers`` and the warnings."""
    trace = cache / "trace.safetensors"
    where: list[str | Path] = ["--pool", pool, "--cache", cache, "--trace", trace]
    done = command(["route", *asked, "--strategy", strategy, "--threads", "1", "--json", *where])
    if done.returncode:
        raise Refusal(refusal(done))
    with safe_open(trace, "np") as file:
        header = json.loads(file.metadata()["gander-trace"])
    return numbers(load_file(trace), header), list(json.loads(done.stdout)["warnings"])


def numbers(tensors: Mapping[str, np.ndarray], header: dict[str, Any]) -> dict[str, np.ndarray]:
    """A trace's numbers in the form of ``expected``: ``log_prob`` [T − 1] of the last sequence, and for each module
    ``path:affinity`` [T, N] and ``path:chosen`` [T, k]."""
    result = {"log_prob": tensors[f"sequence.{len(header['sequences']) - 1}.log_prob"][1:]}
    for index, block in enumerate(header["blocks"]):
        for row, site in enumerate(header["sites"][block["from"] : block["to"]]):
            result[f"{site['path']}:affinity"] = tensors[f"block.{index}.score"][row]
            result[f"{site['path']}:chosen"] = tensors[f"block.{index}.chosen"][row]
    return result


def compare(got: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> Difference:
    """The differences between a run and the expected numbers, over the modules that both have."""
    both = got.keys() & expected.keys()
    chosen = [name for name in both if name.endswith(":chosen")]
    return Difference(
        largest(got["log_prob"], expected["log_prob"]) if "log_prob" in both else 0.0,
        max((largest(got[name], expected[name]) for name in both if name.endswith(":affinity")), default=0.0),
        sum(int((np.sort(got[name]) != np.sort(expected[name])).any(-1).sum()) for name in chosen),
        sum(len(got[name]) for name in chosen),
        apart_from_ties(got, expected) if "log_prob" in both else 0.0,
    )


def judged(result: Result) -> Outcome:
    """The outcome that follows from a run's numbers."""
    assert result.off is not None and result.file is not None
    bound = max(EXACT, SLACK * result.file)
    if result.placed < result.adapted:
        return "in part" if result.warnings else "wrong"
    if result.off.untied > bound or result.off.flipped > MOST_TIES * result.off.choices:
        return "wrong, said" if result.warnings else "wrong"
    return "exact" if result.off.largest() <= EXACT else "near"


def runs_as_it_is(cell: Path, cache: Path) -> bool:
    """Whether the engine, without experts, computes what onnxruntime does with the file."""
    return compare(route(cell / "pool", cache, "base")[0], load_file(cell / "file")).largest() <= EXACT


def run_cell(cell: Path) -> Result:
    """Run a cell's pool and judge the result."""
    about = read_json(cell / "about.json")
    if "refused" in about:
        return Result("not exported", about["refused"])
    result = Result("exact", adapted=adapted_modules(cell / "pool"), file=about["file"])
    with tempfile.TemporaryDirectory() as temporary:
        cache = Path(temporary)
        try:
            expected = next(file for file in (cell / "expected").iterdir() if file.name != "base")
            got, result.warnings = route(cell / "pool", cache, expected.name)
            result.placed = sum(name.endswith(":affinity") for name in got)
            result.off = compare(got, load_file(expected))
            result.unrounded = compare(got, load_file(cell / "unrounded" / expected.name))
            result.outcome = judged(result)
            if about["file"] > UNLIKE and result.placed == result.adapted and runs_as_it_is(cell, cache):
                result.outcome = "file differs"
        except Refusal as error:
            at_once = refused_at_once(cell / "pool", cache)
            result.outcome = "refused" if at_once else "failed"
            result.why = at_once or str(error)
    return result
