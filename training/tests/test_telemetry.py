"""onnxruntime collects no telemetry."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FIXTURES = Path(__file__).parents[2] / "test" / "fixtures"
PROGRAM = """
import sys
import gander_training
import onnxruntime
onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
"""


def test_leaves_nothing_behind(tmp_path: Path) -> None:
    # No other variables: onnxruntime sends nothing if they suggest that it is being tested.
    env = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_CACHE_HOME", "TMPDIR", "TEMP"):
        (tmp_path / name).mkdir()
        env[name] = str(tmp_path / name)
    env["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
    model = FIXTURES / "tiny-pool" / "base" / "model.onnx"
    subprocess.run([sys.executable, "-c", PROGRAM, str(model)], env=env, cwd=tmp_path, check=True)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []
