"""An X-LoRA model of PEFT becomes a pool with its own files, and what is not exactly supported is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from gander_training.cli import main
from gander_training.compatibility.architectures import build
from gander_training.compatibility.peft_routers import ARCHITECTURES, EXPERTS, FEW, write_adapter, write_classifier
from gander_training.compatibility.pool import write_source
from gander_training.pools.pool import check_pool
from gander_training.quiet import quiet

NAMES = ("third", "few", "first")
DEEP = {"layerwise_scalings": True, "xlora_depth": 2, "xlora_size": 12, "top_k_lora": 2}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base, adapters and a classifier: what a person has after training."""
    folder = tmp_path_factory.mktemp("xlora")
    model = build(ARCHITECTURES["llama"])
    model.config.use_cache = False
    write_source(model, folder / "base")
    for index, name in enumerate(NAMES):
        write_adapter(ARCHITECTURES["llama"], model, folder / name, index, {**EXPERTS, **FEW}[name])
    with torch.no_grad():
        write_classifier(model, [folder / name for name in NAMES], DEEP, folder / "classifier", 0)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of the classifier that a test may change, which says where the adapters are."""
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (tmp_path / "classifier").mkdir(exist_ok=True)
        (tmp_path / "classifier" / name).write_bytes((made / "classifier" / name).read_bytes())
    edit(tmp_path / "classifier", lambda c: c.update(adapters={str(i): str(made / n) for i, n in enumerate(NAMES)}))
    return tmp_path / "classifier"


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def edit_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def run(folder: Path, made: Path, *more: str) -> int:
    return main(
        ["import-xlora", str(folder), "--base", str(made / "base"), "--out", str(folder.parent / "pool"), *more]
    )


def test_a_pool_has_the_same_files_and_the_order_of_peft(folder: Path, made: Path) -> None:
    assert run(folder, made) == 0
    pool = folder.parent / "pool"
    entry = json.loads((pool / "pool.json").read_text())["xlora"]
    assert entry["experts"] == list(NAMES) and entry["classifier"] == "xlora"
    assert entry["modules"][:3] == [f"model.layers.0.self_attn.{name}_proj" for name in "qkv"]
    assert len(entry["modules"]) == 14
    for name in NAMES:
        for file in ("adapter_config.json", "adapter_model.safetensors"):
            assert (pool / "experts" / name / file).read_bytes() == (made / name / file).read_bytes()
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        assert (pool / "xlora" / file).read_bytes() == (folder / file).read_bytes()
    assert any(line.startswith("few:") and line.endswith("no gate") for line in check_pool(pool))


def test_what_save_pretrained_leaves_out_is_said(folder: Path, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from peft import XLoraConfig, get_peft_model

    model = build(ARCHITECTURES["llama"])
    model.config.use_cache = False
    config = XLoraConfig.from_pretrained(str(folder))
    with quiet():
        get_peft_model(model, config).save_pretrained(str(folder.parent / "saved"))
    assert run(folder.parent / "saved", made) == 1
    assert "layers.0.weight; save_pretrained of PEFT 0.21 leaves it out" in capsys.readouterr().err
    assert not (folder.parent / "pool").exists()


FIRST = "base_model.internal_xlora_classifier.layers.0.weight"
BAD: list[tuple[Callable[[Path], object], str]] = [
    (lambda f: edit(f, lambda c: c.update(peft_type="LORA")), "not the configuration of an X-LoRA model"),
    (lambda f: edit(f, lambda c: c.update(gating="new")), "gating is not known"),
    (lambda f: edit(f, lambda c: c.update(adapters={"a": "x"})), "PEFT applies only those named 0, 1"),
    (lambda f: edit(f, lambda c: c.update(top_k_lora=4)), "top_k_lora is 4, for 3 adapters"),
    (lambda f: edit(f, lambda c: c.update(scaling_pass_value=0.5)), "is chance"),
    (lambda f: edit(f, lambda c: c["adapters"].update({"1": "gone"})), "--adapter 1=FOLDER"),
    (lambda f: edit(f, lambda c: c.update(hidden_size=16)), "layers.0.weight is [12, 32], not [12, 16]"),
    (lambda f: edit_weights(f, lambda t: t.pop(FIRST)), "has no base_model.internal_xlora_classifier.layers.0.weight"),
    (lambda f: edit_weights(f, lambda t: t.update(more=torch.ones(1))), "more is no part"),
    (lambda f: edit_weights(f, lambda t: t[FIRST].fill_(float("nan"))), "not finite"),
    (lambda f: (f / "adapter_model.safetensors").unlink(), "no such file"),
]


@pytest.mark.parametrize(("spoil", "told"), BAD)
def test_what_is_not_supported_is_refused_in_one_line(
    folder: Path, made: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], object], told: str
) -> None:
    spoil(folder)
    assert run(folder, made) == 1
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
    assert not (folder.parent / "pool").exists()


def test_an_adapter_that_has_moved_is_named(folder: Path, made: Path) -> None:
    edit(folder, lambda c: c["adapters"].update({"1": "gone"}))
    assert run(folder, made, "--adapter", f"1={made / 'few'}") == 0
