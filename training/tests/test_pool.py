"""The tiny pool passes the check, and each kind of damage is reported in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import write_lines
from gander_routing.errors import UserError
from safetensors.torch import load_file, save_file

from gander_training.cli import main
from gander_training.pools.measure import diagonal_text, markdown_table, usage_text, write_report
from gander_training.pools.pool import add_expert, check_pool

TINY = Path(__file__).resolve().parents[2] / "test" / "fixtures" / "tiny-pool"


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    shutil.copytree(TINY, tmp_path / "pool")
    return tmp_path / "pool"


def first_expert(pool: Path) -> Path:
    return min(path for path in (pool / "experts").iterdir() if (path / "gate.safetensors").is_file())


def edit(path: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def test_tiny_pool_is_sound(pool: Path) -> None:
    lines = check_pool(pool)
    assert lines[0].startswith("base:") and len(lines) >= 5


def nan_adapter(pool: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        next(iter(tensors.values())).view(-1)[0] = torch.nan

    edit(first_expert(pool) / "adapter_model.safetensors", change)


def renamed_module(pool: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        name = next(name for name in tensors if "layers.0" in name)
        tensors[name.replace("layers.0", "layers.7")] = tensors.pop(name)

    edit(first_expert(pool) / "adapter_model.safetensors", change)


def wide_adapter(pool: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        name = next(name for name in tensors if "lora_A" in name)
        tensors[name] = torch.zeros(tensors[name].shape[0], 7)

    edit(first_expert(pool) / "adapter_model.safetensors", change)


def zero_gate(pool: Path) -> None:
    edit(first_expert(pool) / "gate.safetensors", lambda t: [v.zero_() for v in t.values()] and None)


def short_gate(pool: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors[next(iter(tensors))] = torch.ones(3)

    edit(first_expert(pool) / "gate.safetensors", change)


def missing_adapter(pool: Path) -> None:
    (first_expert(pool) / "adapter_model.safetensors").unlink()


def newer_version(pool: Path) -> None:
    manifest = json.loads((pool / "pool.json").read_text())
    (pool / "pool.json").write_text(json.dumps({**manifest, "version": 2}))


def outside(pool: Path) -> None:
    manifest = json.loads((pool / "pool.json").read_text())
    manifest["base"]["model"] = "../model.onnx"
    (pool / "pool.json").write_text(json.dumps(manifest))


def truncated(pool: Path) -> None:
    path = first_expert(pool) / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:100])


def of_another_base(pool: Path) -> None:
    path = first_expert(pool) / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "init_lora_weights": "pissa_niter_4"}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (nan_adapter, "adapter_model.safetensors: .* NaN"),
        (renamed_module, "adapter_model.safetensors: .*layers.7.* is not for a linear layer"),
        (wide_adapter, r"adapter_model.safetensors: .* has shape \[\d+, 7\]"),
        (zero_gate, "gate.safetensors: every vector is zero"),
        (short_gate, r"gate.safetensors: .*\[3\]"),
        (missing_adapter, "adapter_model.safetensors: no such file"),
        (newer_version, "pool.json: version 2"),
        (outside, "leaves the pool"),
        (truncated, "adapter_model.safetensors: "),
        (of_another_base, "init_lora_weights = 'pissa_niter_4' is for a changed base"),
    ],
)
def test_damage_is_reported(
    pool: Path, damage: Callable[[Path], None], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(pool)
    with pytest.raises(UserError, match=message):
        check_pool(pool)
    assert main(["pool", "check", str(pool)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_add_copies_a_sound_expert_and_nothing_else(pool: Path, tmp_path: Path) -> None:
    source = tmp_path / "fresh"
    shutil.copytree(first_expert(pool), source)
    (source / "notes.txt").write_text("not part of an expert")
    target = add_expert(pool, source, None, overwrite=False)
    assert target.name == "fresh" and not (target / "notes.txt").exists()
    with pytest.raises(UserError, match="already exists"):
        add_expert(pool, source, None, overwrite=False)
    with pytest.raises(UserError, match="not a folder name"):
        add_expert(pool, source, "../x", overwrite=False)
    (source / "gate.safetensors").unlink()
    assert add_expert(pool, source, "ungated", overwrite=False).is_dir()
    assert any(line.startswith("ungated:") and line.endswith(", no gate") for line in check_pool(pool))
    (source / "adapter_model.safetensors").unlink()
    with pytest.raises(UserError, match="no such file"):
        add_expert(pool, source, "other", overwrite=False)
    assert not list((pool / "experts").glob("*other*"))


def test_two_commands_add_an_expert(pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_lines(tmp_path / "train.jsonl", 3)
    common = ["--base", str(pool), "--data", str(data), "--length", "32", "--runs", str(tmp_path / "runs")]
    common += ["--dtype", "float32", "--threads", "1"]
    out = tmp_path / "made"
    assert main(["expert", *common, "--steps", "4", "--out", str(out), "--rank", "2", "--learning-rate", "0.01"]) == 0
    assert main(["expert", *common, "--out", str(out)]) == 1
    assert main(["gate", *common, "--steps", "3", "--expert", str(out), "--add"]) == 0
    assert (pool / "experts" / "made" / "gate.safetensors").is_file()
    assert any(line.startswith("made:") for line in check_pool(pool))


@pytest.mark.parametrize("line", ['{"text": 1}', "nonsense", '{"other": "x"}'])
def test_bad_data_is_reported(pool: Path, tmp_path: Path, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "bad.jsonl"
    data.write_text(line + "\n")
    out = tmp_path / "never"
    assert main(["expert", "--base", str(pool), "--data", str(data), "--out", str(out), "--rank", "2"]) == 1
    assert "bad.jsonl:1" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    "command", ["expert", "gate", "export-base", "export-retriever", "examples", "pool", "reference", "corpora"]
)
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0 and "usage" in capsys.readouterr().out


def test_report_says_where_an_expert_loses(tmp_path: Path) -> None:
    table = {"base": {"a": 1.0, "b": 1.0}, "a": {"a": 0.9, "b": 0.7}, "b": {"a": 1.1, "b": 0.8}}
    assert "**0.900**" in markdown_table(table)
    text = diagonal_text(table)
    assert "1 of 2" in text and "- b: the a expert does better" in text
    usage = usage_text({"a": [0.2, 0.8], "b": [0.1, 0.9]}, ["a", "b"])
    assert "2 of 2" in usage and "| **20.0** | 80.0 | 2 |" in usage
    readme = tmp_path / "README.md"
    readme.write_text("# Pool\n\n<!-- measured -->\nold\n<!-- /measured -->\n\nEnd.\n")
    write_report(readme, "new")
    assert readme.read_text() == "# Pool\n\n<!-- measured -->\n\nnew\n\n<!-- /measured -->\n\nEnd.\n"
