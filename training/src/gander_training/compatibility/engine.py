"""What the engine makes of a cell: ``node dist/cli.cjs`` on its pool, held to what PEFT expects."""

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
LIMIT = 300  # seconds a run: of minutes it says nothing
EXACT = 1e-3  # nats, and of an affinity: a hundred times what float32 leaves, a tenth of what anything wrong would
# Rounded arithmetic explains no more than this of what a file by itself is off its model, in nats.
UNLIKE = 0.3
# A file whose own arithmetic is rounded cannot be nearer to PEFT than it is with no expert at all; experts add to that.
SLACK = 5
# Of the choices so many may be near ties that rounding decides otherwise.
MOST_TIES = 0.02

Outcome = Literal[
    "not exported",  # the exporter refuses the model, or its file does not run
    "refused",  # by the engine, before it ran
    "failed",  # by the engine, while it ran
    "in part",  # some of the modules were not placed, and the engine said so
    "exact",
    "near",  # as near as the file itself is to the model
    "file differs",  # the file computes another model than it was made of; the engine computes what the file does
    "wrong, said",
    "wrong",  # and nothing was said
]


@dataclass
class Difference:
    """How far two runs are from each other: the largest difference of each, and the choices that are others."""

    log_prob: float
    affinity: float
    flipped: int
    choices: int
    untied: float  # of the numbers that no other choice came before

    def largest(self) -> float:
        """Of the numbers."""
        return max(self.log_prob, self.affinity)


@dataclass
class Result:
    """One cell of the table."""

    outcome: Outcome
    why: str = ""
    warnings: list[str] = field(default_factory=list)
    placed: int = 0
    adapted: int = 0
    file: float | None = None  # largest difference of a log-probability, the file alone against the model
    off: Difference | None = None  # the engine against PEFT
    unrounded: Difference | None = None  # the same against PEFT on the model before its weights were rounded


class Refusal(Exception):
    """The engine said no."""


def cli() -> Path:
    """The built command line."""
    path = ROOT / "dist/cli.cjs"
    if not path.exists():
        raise UserError(f"{path}: no such file; npm run build makes it")
    return path


def engine_hash() -> str:
    """What results are results of."""
    return hashlib.sha256(cli().read_bytes()).hexdigest()[:16]


def command(arguments: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run ``gander``; one that goes on for longer than ``LIMIT`` is ended."""
    try:
        return subprocess.run(["node", cli(), *arguments], capture_output=True, text=True, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess([], 124, "", f"it ran for more than {LIMIT} s")


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """What a failed command said, in one line."""
    try:
        error = json.loads(done.stderr[done.stderr.index("{") :])["error"]
        said = f"{error['code']}: {error['message']} {error['remedy']}"
    except (ValueError, KeyError):
        said = done.stderr.strip() or f"exit code {done.returncode}"
    return " ".join(said.split())


def refused_at_once(pool: Path, cache: Path) -> str | None:
    """What ``gander inspect`` has against the pool, or None."""
    done = command(["inspect", pool, "--cache", cache, "--json"])
    return refusal(done) if done.returncode else None


def route(
    pool: Path, cache: Path, strategy: str, asked: Sequence[str] = ("--text", TEXT)
) -> tuple[dict[str, np.ndarray], list[str]]:
    """A strategy's ``numbers`` of what is asked, and what was warned of."""
    trace = cache / "trace.safetensors"
    where: list[str | Path] = ["--pool", pool, "--cache", cache, "--trace", trace]
    done = command(["route", *asked, "--strategy", strategy, "--threads", "1", "--json", *where])
    if done.returncode:
        raise Refusal(refusal(done))
    with safe_open(trace, "np") as file:
        header = json.loads(file.metadata()["gander-trace"])
    return numbers(load_file(trace), header), list(json.loads(done.stdout)["warnings"])


def numbers(tensors: Mapping[str, np.ndarray], header: dict[str, Any]) -> dict[str, np.ndarray]:
    """What a trace is held to, as ``expected`` has it: ``log_prob`` [T − 1] of the last sequence, and of each module
    ``path:affinity`` [T, N] and ``path:chosen`` [T, k]."""
    result = {"log_prob": tensors[f"sequence.{len(header['sequences']) - 1}.log_prob"][1:]}
    for index, block in enumerate(header["blocks"]):
        for row, site in enumerate(header["sites"][block["from"] : block["to"]]):
            result[f"{site['path']}:affinity"] = tensors[f"block.{index}.score"][row]
            result[f"{site['path']}:chosen"] = tensors[f"block.{index}.chosen"][row]
    return result


def compare(got: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> Difference:
    """What differs between a run and what is expected of it, over the modules that both have."""
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
    """What the numbers of a run mean."""
    assert result.off is not None and result.file is not None
    bound = max(EXACT, SLACK * result.file)
    if result.placed < result.adapted:
        return "in part" if result.warnings else "wrong"
    if result.off.untied > bound or result.off.flipped > MOST_TIES * result.off.choices:
        return "wrong, said" if result.warnings else "wrong"
    return "exact" if result.off.largest() <= EXACT else "near"


def runs_as_it_is(cell: Path, cache: Path) -> bool:
    """Whether the engine, with no expert, gives what onnxruntime gives for the file."""
    return compare(route(cell / "pool", cache, "base")[0], load_file(cell / "file")).largest() <= EXACT


def run_cell(cell: Path) -> Result:
    """Run the pool of a cell and judge it."""
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
