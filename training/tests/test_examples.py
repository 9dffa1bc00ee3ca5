"""The examples run as they are told, at toy size."""

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
    assert re.search("solidity", out.split("added", 1)[1].split("\n", 1)[1], re.IGNORECASE), "the check names it"
    assert not list(tmp_path.glob("*/pool")), "the temporary folder is gone"
    assert sorted(path.name for path in (ROOT / "test/fixtures/tiny-pool/experts").iterdir()) == before


def test_a_trace_is_read() -> None:
    out = run(sys.executable, EXAMPLES / "read_trace.py", ROOT / "test/fixtures/golden/tiny/phatgoose-k1.safetensors")
    head, *lines = out.splitlines()
    assert re.fullmatch(r"phatgoose on tiny: \d+ tokens, \d+ modules", head)
    shares = [float(line.split("%")[0]) for line in lines if "%  " in line]
    assert len(shares) == 4
    assert shares == sorted(shares, reverse=True)
    assert abs(sum(shares) - 100) < 0.5


def test_a_trace_of_the_base_has_no_leader() -> None:
    out = run(sys.executable, EXAMPLES / "read_trace.py", ROOT / "test/fixtures/golden/tiny/base.safetensors")
    assert out.startswith("base on tiny")
    assert "%" not in out
    assert "  none" in out
