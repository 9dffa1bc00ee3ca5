"""The examples run as documented, at toy size."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "PYTHON": sys.executable, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="the script is written for bash")
def test_an_expert_is_added_to_the_tiny_pool(tmp_path: Path) -> None:
    before = sorted(path.name for path in (ROOT / "test/fixtures/tiny-pool/experts").iterdir())
    out = run("bash", EXAMPLES / "add-an-expert/run.sh", "--toy", TMPDIR=str(tmp_path))
    assert re.search(r"^added .*/experts/solidity$", out, re.MULTILINE)
    assert re.search("solidity", out.split("added", 1)[1].split("\n", 1)[1], re.IGNORECASE), "the check lists it"
    assert not list(tmp_path.glob("*/pool")), "the temporary folder is gone"
    assert sorted(path.name for path in (ROOT / "test/fixtures/tiny-pool/experts").iterdir()) == before


def read_trace(golden: str) -> list[str]:
    trace = ROOT / "test/fixtures/golden" / golden
    return run(
        sys.executable, EXAMPLES / "read_trace.py", trace, PYTHONPATH=str(ROOT / "python/gander-trace/src")
    ).splitlines()


def shares(lines: list[str]) -> list[float]:
    return [float(line.split("%")[0]) for line in lines]


def test_a_version_1_trace_of_a_pool_is_read() -> None:
    head, *lines = read_trace("tiny/phatgoose-k1.safetensors")
    assert re.fullmatch(r"phatgoose on .+: \d+ text tokens, \d+ modules", head)
    assert len(lines) == 4
    assert shares(lines) == sorted(shares(lines), reverse=True)
    assert abs(sum(shares(lines)) - 100) < 0.5


def test_a_trace_of_a_mixture_is_read_layer_by_layer() -> None:
    _, *lines = read_trace("moe/mixtral.safetensors")
    layers = [i for i, line in enumerate(lines) if line.startswith("layer ")]
    assert len(layers) == 2
    for begin, end in zip(layers, [*layers[1:], len(lines)], strict=True):
        assert abs(sum(shares(lines[begin + 1 : end])) - 100) < 0.5


def test_a_trace_of_the_base_has_no_expert() -> None:
    head, *lines = read_trace("tiny/base.safetensors")
    assert head.startswith("base on ")
    assert lines == ["   none"]
