"""Exporting a mixture of experts: what is written is what was held to the source, and what cannot be is said in a line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from gander_training import cli
from gander_training.tiny_moe import config_of, write_moe

NEWER = int(transformers.__version__.split(".")[0]) >= 5
needs_exporter = pytest.mark.skipif(not NEWER, reason="transformers 5 is not installed (the extra moe)")


def failure(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that the command ends with."""
    assert cli.main(["export-moe", *arguments]) == 1
    error: str = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def folder_with(tmp_path: Path, **config: Any) -> Path:
    """A folder of nothing but a config."""
    source = tmp_path / "model"
    source.mkdir()
    (source / "config.json").write_text(json.dumps(config))
    return source


@pytest.fixture(scope="module")
def mixtral(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Mixtral."""
    folder = tmp_path_factory.mktemp("source") / "mixtral"
    write_moe("mixtral", folder)
    return folder


@pytest.mark.skipif(NEWER, reason="transformers 5 is installed")
def test_an_older_transformers_is_told_what_to_install(capsys: pytest.CaptureFixture[str], mixtral: Path) -> None:
    assert ".[moe]" in failure(capsys, str(mixtral), str(mixtral.parent / "out"))


@needs_exporter
@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32}, "dense"),
        ({"architectures": ["XForCausalLM"], "model_type": "x"}, "has no architecture 'x'"),
        ({"model_type": "x", "auto_map": {"AutoModelForCausalLM": "modeling.X"}}, "trust_remote_code"),
        ({"architectures": ["ViTModel"], "model_type": "vit"}, "not a causal language model"),
    ],
)
def test_what_is_no_mixture_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, config: dict[str, Any], said: str
) -> None:
    target = tmp_path / "out"
    assert said in failure(capsys, str(folder_with(tmp_path, **config)), str(target))
    assert not target.exists()


@needs_exporter
def test_a_folder_without_config_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "config.json: no such file" in failure(capsys, str(tmp_path), str(tmp_path / "out"))


@needs_exporter
def test_numbers_that_are_not_finite_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, mixtral: Path
) -> None:
    source = tmp_path / "model"
    shutil.copytree(mixtral, source)
    weights = load_file(source / "model.safetensors")
    weights["lm_head.weight"][3, 3] = torch.nan
    save_file(weights, source / "model.safetensors", {"format": "pt"})
    assert "NaN or infinity" in failure(capsys, str(source), str(tmp_path / "out"))


@needs_exporter
@pytest.mark.parametrize("tied", [False, True])
def test_four_bits_are_held_to_the_same_rounded_weights(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, tied: bool
) -> None:
    source, target = tmp_path / "model", tmp_path / "out"
    write_moe("mixtral", source)
    if tied:
        (source / "config.json").write_text(json.dumps({**config_of("mixtral"), "tie_word_embeddings": True}))
        weights = load_file(source / "model.safetensors")
        del weights["lm_head.weight"]
        save_file(weights, source / "model.safetensors", {"format": "pt"})
    assert cli.main(["export-moe", str(source), str(target), "--precision", "int4"]) == 0
    assert "loss on the text" in capsys.readouterr().out
    graph = onnx.load(target / "model.onnx", load_external_data=False).graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("MatMulNBits") == 2 * (4 + 2 * 8) + 1 and kinds.count("GatherBlockQuantized") == 1
    assert kinds.count("Gemm") == 2 and kinds.count("MatMul") == 4  # routers; what attention multiplies
    places = {
        tensor.name: next(entry.value for entry in tensor.external_data if entry.key == "offset")
        for tensor in graph.initializer
        if tensor.name in ("embedding.weight_Q8", "head.weight_Q8")
    }
    assert len(places) == 2 and (len(set(places.values())) == 1) == tied


@needs_exporter
def test_an_export_that_computes_something_else_is_not_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, mixtral: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gander_training import export_moe

    write = export_moe.write_float32

    def spoilt(model: Any, folder: Path) -> None:
        """An exporter that gets the experts of one layer wrong."""
        other = export_moe.with_weights(model, {})
        with torch.no_grad():
            other.model.layers[1].mlp.gate.weight.neg_()
        write(other, folder)

    monkeypatch.setattr(export_moe, "write_float32", spoilt)
    target = tmp_path / "out"
    assert "does not compute what the model computes" in failure(capsys, str(mixtral), str(target))
    assert not target.exists()
