"""Checkpoints, files, bases and names that are refused: one line each, and nothing is written."""

from __future__ import annotations

import json
import math
import pickle
import shutil
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import PHATGOOSE, made
from gander_routing.errors import UserError
from safetensors.torch import save_file

from gander_training.cli import main
from gander_training.imports.checkpoint import open_checkpoint
from gander_training.imports.phatgoose import import_phatgoose

BASE, BEST = PHATGOOSE / "base", PHATGOOSE / "phatgoose/best.pt"


Q = "encoder.block.0.layer.0.SelfAttention.q._addons"


def without_expert(best: OrderedDict[str, Any]) -> None:
    for key in [key for key in best if key.endswith("__3")]:
        del best[key]


def without_matrix(best: OrderedDict[str, Any]) -> None:
    del best[f"{Q}.expert_lora.layer2__3"]


def other_rank(best: OrderedDict[str, Any]) -> None:
    for layer, shape in (("layer1", (32, 8)), ("layer2", (8, 32))):
        best[f"{Q}.expert_lora.{layer}__2"] = torch.ones(shape, dtype=torch.bfloat16)


def half_a_rank(best: OrderedDict[str, Any]) -> None:
    best[f"{Q}.expert_lora.layer1__2"] = torch.ones(32, 8, dtype=torch.bfloat16)


def not_finite(best: OrderedDict[str, Any]) -> None:
    best[f"{Q}.expert_lora.layer1__0"][0, 0] = math.inf


def other_key(best: OrderedDict[str, Any]) -> None:
    best["encoder.block.0.layer.0.SelfAttention.q.weight"] = torch.ones(2)


def no_tensor(best: OrderedDict[str, Any]) -> None:
    best[f"{Q}.expert_lora.layer1__0"] = [1.0, 2.0]


def two_tables(best: OrderedDict[str, Any]) -> None:
    best["decoder.embed_tokens.weight"] = best["decoder.embed_tokens.weight"] + 1


def long_table(best: OrderedDict[str, Any]) -> None:
    best["encoder.embed_tokens.weight"] = torch.ones(301, 32)


BAD = [
    (without_expert, "expert 3 is missing (the last is 4)"),
    (without_matrix, f"{Q}.expert_lora.layer2__3 is missing"),
    (other_rank, f"expert 2 has rank 8 at {Q.removesuffix('._addons')}, others have 4"),
    (half_a_rank, "which do not fit together"),
    (not_finite, "contains values that are not finite numbers"),
    (other_key, "SelfAttention.q.weight is neither part of an expert nor an embedding"),
    (no_tensor, "layer1__0 is a list, not a tensor"),
    (two_tables, "differ, and a T5 has one embedding"),
    (long_table, "its embedding is [300, 32], encoder.embed_tokens.weight is [301, 32]"),
    (lambda best: best.clear(), "holds no expert of PHATGOOSE's released code"),
]


def refused(capsys: pytest.CaptureFixture[str], path: Path, base: Path, pool: Path) -> str:
    """Run the import; returns its one line of error. Asserts that nothing is written."""
    assert main(["import-phatgoose", str(path), "--base", str(base), "--out", str(pool)]) == 1
    assert not [file for file in pool.rglob("*") if file.is_file() and "base" not in file.parts]
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("gander-training: ")]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(("change", "told"), BAD)
def test_a_bad_checkpoint_is_reported_in_one_line(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Callable[[Any], None], told: str
) -> None:
    path = made(tmp_path / "bad.pt", change)
    line = refused(capsys, path, BASE, exported)
    assert told in line and ("bad.pt" in line or f"{BASE}: " in line)


class Made:
    """An object that a pickle could contain."""


def old_format(path: Path) -> None:
    torch.save({"a": torch.ones(2)}, path, _use_new_zipfile_serialization=False)


FILES: list[tuple[Callable[[Path], object], str]] = [
    (lambda path: torch.save({"a": Made()}, path), "contains an object that is not a tensor"),
    (lambda path: torch.save([torch.ones(2)], path), "holds a list, not tensors by name"),
    (old_format, "format from before 1.6"),
    (lambda path: path.write_bytes(pickle.dumps({"a": 1})), "format from before 1.6"),
    (lambda path: path.write_bytes(b"PK\x03\x04 and no more"), "an incomplete PyTorch checkpoint"),
    (lambda path: path.write_text("not a checkpoint"), "neither a PyTorch checkpoint nor a safetensors file"),
    (lambda path: path.write_bytes(b""), "neither a PyTorch checkpoint nor a safetensors file"),
    (lambda path: path.write_bytes(BEST.read_bytes()[:9000]), "an incomplete PyTorch checkpoint"),
    (lambda path: save_file({"a": torch.ones(2)}, path), "a is neither part of an expert"),
    (lambda path: None, "no such file"),
]


@pytest.mark.parametrize(("write", "told"), FILES)
def test_a_file_that_is_not_a_checkpoint_is_reported_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], write: Callable[[Path], object], told: str
) -> None:
    write(tmp_path / "bad.pt")
    line = refused(capsys, tmp_path / "bad.pt", BASE, tmp_path / "pool")
    assert "bad.pt" in line and told in line and not (tmp_path / "pool").exists()


def test_no_code_in_a_checkpoint_is_run(tmp_path: Path) -> None:
    class Run:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "run",)

    torch.save({"a": Run()}, tmp_path / "bad.pt")
    with pytest.raises(UserError):
        open_checkpoint(tmp_path / "bad.pt")
    assert not (tmp_path / "run").exists()


def changed_base(folder: Path, **config: Any) -> Path:
    shutil.copytree(BASE, folder)
    told = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**told, **config}))
    return folder


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"d_ff": 96}, "DenseReluDense.wi_0 is 32 → 96"),
        ({"num_decoder_layers": 1}, "has no linear layer decoder.block.1"),
        ({"vocab_size": 320}, "its embedding is [320, 32]"),
        (
            {"architectures": ["BartForConditionalGeneration"]},
            "not a T5 (architectures: ['BartForConditionalGeneration'])",
        ),
    ],
)
def test_another_base_is_reported_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], config: dict[str, Any], told: str
) -> None:
    base = changed_base(tmp_path / "other", **config)
    assert told in refused(capsys, BEST, base, tmp_path / "pool") and not (tmp_path / "pool").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [("a\nb\n", "2 names, the checkpoint has 5 experts"), ("a\nb\nc\nd\na\n", "a appears twice")],
)
def test_there_must_be_as_many_names_as_experts(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "names.txt").write_text(text)
    with pytest.raises(UserError, match=told):
        import_phatgoose(BEST, BASE, tmp_path / "pool", names=tmp_path / "names.txt")
    assert not (tmp_path / "pool").exists()


def test_experts_must_be_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--base", str(BASE), "--out", str(tmp_path / "pool"), "--experts", "3-7"]
    assert main(["import-phatgoose", str(BEST), *options]) == 1
    assert "'3-7' is not a list of numbers" in capsys.readouterr().err
