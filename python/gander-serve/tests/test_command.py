"""The command, started and stopped as a person does it."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import FIXTURES, HANGS

from gander_serve.cli import main

ROOT = Path(__file__).resolve().parents[3]
SOURCES = [ROOT / "python" / name / "src" for name in ("gander-serve", "gander-trace", "gander-routing")]
LONG = {"text": "word " * 40, "most": 16}


def environment(**more: str) -> dict[str, str]:
    known = {key: value for key, value in os.environ.items() if key != "GANDER_SERVE_TOKEN"}
    return {**known, "PYTHONPATH": os.pathsep.join(map(str, SOURCES)), "OMP_NUM_THREADS": "1", **more}


def command(*options: object, **more: str) -> dict[str, Any]:
    return {
        "args": [sys.executable, "-m", "gander_serve.cli", *map(str, options)],
        "env": environment(**more),
        "text": True,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }


@contextmanager
def started(*options: object, **more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Starts the command; yields the process and its address once it serves."""
    process = subprocess.Popen(**command(*options, "--port", 0, **more))
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert " at http://127.0.0.1:" in line, line + process.stderr.read()  # type: ignore[union-attr]
        yield process, line.split(" at ")[1].strip()
    finally:
        process.kill()
        process.communicate()


def test_help_and_version_need_no_model() -> None:
    told = subprocess.run(**command("--help"), timeout=HANGS)
    assert told.returncode == 0 and "--token-file" in told.stdout and "MODEL" in told.stdout
    assert "--together" in told.stdout and "default: 16 in float32" in " ".join(told.stdout.split())
    assert subprocess.run(**command("--version"), timeout=HANGS).stdout.strip()


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_in_the_middle_of_a_run_and_says_so(
    folder_of: Callable[[str], Path], tmp_path: Path, kind: signal.Signals
) -> None:
    file = tmp_path / "token"
    with started(folder_of("olmoe"), "--chunk", 1, "--token-file", file) as (process, address):
        if os.name == "posix":
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        client = httpx.Client(base_url=address, headers={"authorization": f"Bearer {file.read_text()}"}, timeout=HANGS)
        assert client.get("/v1/info").json()["name"] == "olmoe"
        with client.stream(
            "POST", "/v1/attribute", json=LONG, headers={"accept": "application/x-gander-frames"}
        ) as answer:
            parts = answer.iter_raw()
            assert next(parts)[:4] == b"\1\0\0\0"
            process.send_signal(kind)
            rest = b"".join(parts)
        at = rest.index(b'{"error"')
        assert rest[at - 8 : at - 4] == b"\4\0\0\0"
        assert json.loads(rest[at:])["error"]["code"] == "engine-unavailable"
        out, told = process.communicate(timeout=HANGS)
        assert (process.returncode, out, told) == (0, "", "")
        with pytest.raises(httpx.ConnectError):
            client.get("/health")


def test_without_a_token_one_is_made_and_printed(folder_of: Callable[[str], Path]) -> None:
    with started(folder_of("mixtral")) as (process, address):
        assert process.stderr is not None
        name, token = process.stderr.readline().split("token ")
        assert name == "gander-serve: "
        headers = {"authorization": f"Bearer {token.strip()}"}
        assert (
            httpx.post(f"{address}/v1/route", headers=headers, json={"text": "a b"}, timeout=HANGS).status_code == 200
        )


def test_a_pool_with_a_token_from_the_environment() -> None:
    token = "0123456789abcdef"
    with started(FIXTURES / "tiny-pool", GANDER_SERVE_TOKEN=token) as (process, address):
        headers = {"authorization": f"Bearer {token}"}
        assert httpx.get(f"{address}/v1/info", headers=headers, timeout=HANGS).json()["family"] == "pool"
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=HANGS)[1] == "" and process.returncode == 0


def test_a_pool_without_gander_routing_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gander_serve.pool", None)
    assert main([str(FIXTURES / "tiny-pool"), "--port", "0"]) == 1
    assert "needs gander-routing. pip install gander-serve[pool]" in capsys.readouterr().err


def test_each_failure_to_start_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "short").write_text("abc")
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool/pool.json").write_text("{}")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/config.json").write_text('{"model_type": "olmoe"}')
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for options, message in (
            ((tmp_path / "nothing",), "--download"),
            ((tmp_path,), "no config.json"),
            ((tmp_path / "broken",), "cannot be loaded"),
            ((tmp_path / "pool",), "cannot be served"),
            ((tmp_path, "--token-file", tmp_path / "short"), "must have at least 16"),
            ((tmp_path, "--token-file", tmp_path / "nowhere/token"), "cannot be written"),
            ((tmp_path, "--port", port), f"port {port} cannot be used"),
            ((tmp_path, "--chunk", 0), "--chunk is 0"),
        ):
            usual = () if "--port" in options else ("--port", 0)
            assert main([*map(str, options), *map(str, usual)]) == 1
            told = capsys.readouterr()
            lines = [line for line in told.err.splitlines() if line.startswith("gander-serve: ")]
            assert told.out == "" and len(lines) == 1 and message in lines[0], told
