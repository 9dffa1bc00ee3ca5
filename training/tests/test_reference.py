"""The command that writes golden traces: what it writes, and what it says about a broken pool."""

from __future__ import annotations

import filecmp
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gander_routing.pool import read_pool
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from gander_training.reference.cases import TINY_TEXT
from gander_training.reference.command import main
from gander_training.reference.trace import pool_hash
from gander_training.texts.tokens import encode, load_tokenizer
from gander_training.tiny import pool as tiny

POOL = Path(__file__).parents[2] / "test/fixtures/tiny-pool"
GOLDEN = Path(__file__).parents[2] / "test/fixtures/golden/tiny"
IDS = list(tiny.EXPERTS)


@pytest.mark.parametrize("text", [TINY_TEXT, "", "\U0001f9a2", "a\U0001f9a2b\U0001d54f", "\r\n\t\0 12"])
def test_offsets_are_in_utf16_and_cover_the_text(text: str) -> None:
    encoded = encode(load_tokenizer(POOL), text)
    assert (encoded.ids[0], encoded.start[0], encoded.end[0]) == (0, -1, -1)
    units, end = text.encode("utf-16-le"), 0
    for start, stop, token in zip(encoded.start[1:], encoded.end[1:], encoded.tokens[1:], strict=True):
        assert start <= end <= stop
        piece, end = units[2 * start : 2 * stop].decode("utf-16-le"), stop
        assert token == piece or len(piece) == 1 or len(piece.encode()) > 1
    assert end == len(units) // 2


def test_golden_traces_are_reproducible(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        assert main(["--pool", str(POOL), "--out", str(tmp_path / folder)]) == 0
    names = sorted(path.name for path in GOLDEN.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "a").iterdir())
    assert filecmp.cmpfiles(tmp_path / "a", tmp_path / "b", names, shallow=False)[1:] == ([], [])
    for name in names:
        fresh, committed = load_file(tmp_path / "a" / name), load_file(GOLDEN / name)
        assert fresh.keys() == committed.keys()
        for key, tensor in committed.items():
            # Another processor may round differently, but not choose differently: the smallest margin is 3e-4.
            torch.testing.assert_close(fresh[key], tensor, atol=1e-3, rtol=1e-3, equal_nan=True)


def test_golden_traces_are_small_and_read_in_three_lines() -> None:
    for path in GOLDEN.iterdir():
        assert path.stat().st_size < 60_000
        with safe_open(path, "np") as file:
            header = json.loads(file.metadata()["gander-trace"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        assert header["format"] == "gander-trace" and header["version"] == 1
        m, t, n = tensors["affinity"].shape
        assert (m, n) == (len(header["modules"]), len(header["experts"]))
        assert t == len(header["tokens"]) == len(tensors["token_ids"]) == len(header["topTokens"])
        assert tensors["chosen"].dtype == np.int16 and tensors["token_start"].dtype == np.int32


def test_one_text_and_timing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "one.safetensors"
    assert main(["--pool", str(POOL), "--text", "hi", "--strategy", "merged", "--out", str(out)]) == 0
    assert load_file(out)["chosen"].shape == (14, 3, 4)
    assert main(["--pool", str(POOL), "--time", "--tokens", "40", "--repeats", "2"]) == 0
    timing = json.loads(capsys.readouterr().out)
    assert timing["tokens"] == 40 and timing["ms"] > 0 and len(timing["runs"]) == 2


def broken(tmp_path: Path, change: Any) -> Path:
    copy = tmp_path / "pool"
    shutil.copytree(POOL, copy)
    change(copy)
    return copy


def rewrite(path: Path, change: Any) -> None:
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


FIRST = "model.layers.0.self_attn.q_proj"
ADAPTER, GATE = "experts/alpha/adapter_model.safetensors", "experts/alpha/gate.safetensors"
LORA_A = f"base_model.model.{FIRST}.lora_A.weight"
FAULTS: dict[str, tuple[Any, str]] = {
    "no manifest": (lambda p: (p / "pool.json").unlink(), "pool.json"),
    "manifest not JSON": (lambda p: (p / "pool.json").write_text("{"), "pool.json"),
    "newer version": (lambda p: (p / "pool.json").write_text('{"format":"gander-pool","version":2}'), "version 1"),
    "no adapter": (lambda p: (p / ADAPTER).unlink(), ADAPTER),
    "no base": (lambda p: (p / "base/model.onnx").unlink(), "model.onnx"),
    "cut short": (lambda p: (p / ADAPTER).write_bytes((p / ADAPTER).read_bytes()[:200]), ADAPTER),
    "NaN": (lambda p: rewrite(p / GATE, lambda t: t[FIRST].fill_(math.nan)), f"{GATE}: {FIRST}"),
    "gate's size": (lambda p: rewrite(p / GATE, lambda t: t.update({FIRST: torch.ones(3)})), f"{GATE}: {FIRST}"),
    "rank": (lambda p: rewrite(p / ADAPTER, lambda t: t.update({LORA_A: torch.ones(3, 32)})), "rank 3"),
    "half": (lambda p: rewrite(p / ADAPTER, lambda t: t.pop(LORA_A)), "only lora_B"),
    "another base": (
        lambda p: [rewrite(p / ADAPTER, lambda t: t.update({LORA_A: torch.ones(4, 8)})),
                   rewrite(p / GATE, lambda t: t.update({FIRST: torch.ones(8)})),
                   (p / GATE).with_name("activation.safetensors").unlink()],
        "8 → 32 in the adapter, 32 → 32 in the base",
    ),
    "unknown module": (
        lambda p: rewrite(p / ADAPTER, lambda t: [
            t.update({f"base_model.model.other.lora_{x}.weight": torch.ones(4, 4)}) for x in "AB"]),
        "no linear layer other",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_pool_gives_one_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    change, message = FAULTS[fault]
    pool = broken(tmp_path, change)
    assert main(["--pool", str(pool), "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and message in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pool"]


def test_half_written_and_absent_parts_are_left_out(tmp_path: Path) -> None:
    def change(copy: Path) -> None:
        shutil.copytree(copy / "experts/alpha", copy / "experts/.alpha.partial")
        shutil.rmtree(copy / "multitask")

    found = read_pool(broken(tmp_path, change))
    assert [expert.id for expert in found.experts] == IDS and found.multitask is None
    shutil.copytree(POOL / "multitask", found.path / "multitask")
    assert pool_hash(found.path) == pool_hash(POOL)


def test_x_lora_is_run_with_the_pools_classifier(tmp_path: Path) -> None:
    fixtures = POOL.parent / "peft/qwen3"
    own = fixtures / "xlora/scaling-pass"
    with safe_open(own / "golden.safetensors", "np") as file:
        case = json.loads(file.metadata()["case"])
    for part in ("base", *(f"experts/{expert}" for expert in case["experts"])):
        shutil.copytree(fixtures / part, tmp_path / "pool" / part)
    shutil.copytree(own, tmp_path / "pool/xlora")
    entry = {"classifier": "xlora", "experts": case["experts"], "modules": case["modules"]}
    manifest = {**json.loads((fixtures / "pool.json").read_text()), "xlora": entry}
    (tmp_path / "pool/pool.json").write_text(json.dumps(manifest))
    asked = ["--pool", str(tmp_path / "pool"), "--strategy", "x-lora"]
    assert main([*asked, "--text", case["text"], "--out", str(tmp_path / "trace")]) == 0
    wanted = load_file(own / "golden.safetensors")["log_prob"]
    torch.testing.assert_close(load_file(tmp_path / "trace")["log_prob"][1:], wanted, atol=2e-5, rtol=0)


def test_x_lora_is_not_for_an_encoder_decoder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--pool", str(POOL.parent / "tiny-t5"), "--text", "a", "--strategy", "x-lora"]
    assert main([*asked, "--out", str(tmp_path / "trace")]) == 1
    assert "not for an encoder-decoder" in capsys.readouterr().err
