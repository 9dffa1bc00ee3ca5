"""Quantised weights and the exported graph: transformers and ONNX Runtime compute the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from gander_routing.base import load_shipped
from gander_routing.errors import UserError

from gander_training.bases.export import ExportOptions, export_base
from gander_training.bases.quantise import quantise, quantise_symmetric
from gander_training.bases.source import load_source
from gander_training.texts.windows import read_texts


def test_rounding_error_is_bounded_and_calibration_helps() -> None:
    torch.manual_seed(0)
    weight = torch.randn(16, 64)
    inputs = torch.randn(512, 8) @ torch.randn(8, 64) + 0.1 * torch.randn(512, 64)
    plain, fitted = quantise(weight, None, 32), quantise(weight, inputs.T @ inputs, 32)
    assert (plain.weight() - weight).abs().max() < 0.6
    assert plain.codes.max() <= 15 and plain.zeros.min() >= 0 and torch.equal(plain.zeros, plain.zeros.round())

    def error(q: torch.Tensor) -> float:
        return float((inputs @ (q - weight).T).square().mean())

    assert error(fitted.weight()) < 0.7 * error(plain.weight())


def test_eight_bits_are_close() -> None:
    weight = torch.randn(5, 128)
    assert (quantise_symmetric(weight, 64).weight() - weight).abs().max() < weight.abs().max() / 250


@pytest.fixture(scope="module")
def pool(small: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pool")
    options = ExportOptions(calibration_windows=1, fit_steps=2)
    export_base(small, folder / "base", read_texts(data), options)
    names = {"model": "base/model.onnx", "tokenizer": "base/tokenizer.json", "config": "base/config.json"}
    manifest = {
        "format": "gander-pool",
        "version": 1,
        "id": "p",
        "base": {"name": "small", **names},
        "experts": "experts",
    }
    (folder / "pool.json").write_text(json.dumps(manifest))
    return folder


def test_graph_and_shipped_weights_agree(pool: Path) -> None:
    model, tokenizer = load_shipped(pool)
    ids = torch.tensor([tokenizer("let fn tree é9").input_ids])
    session = onnxruntime.InferenceSession(str(pool / "base" / "model.onnx"), providers=["CPUExecutionProvider"])
    feed = {"input_ids": ids.numpy(), "attention_mask": np.ones_like(ids.numpy())}
    for entry in session.get_inputs():
        if entry.name == "position_ids":
            feed[entry.name] = np.arange(ids.shape[1])[None]
        elif entry.name.startswith("past"):
            feed[entry.name] = np.zeros((1, entry.shape[1], 0, entry.shape[3]), np.float32)
    with torch.no_grad():
        wanted = model(input_ids=ids).logits.numpy()
    np.testing.assert_allclose(session.run(["logits"], feed)[0], wanted, atol=1e-4)
    assert "é9" in tokenizer.decode(ids[0])


def test_graph_has_ordinary_names_and_small_files(pool: Path) -> None:
    import onnx

    graph = onnx.load(pool / "base" / "model.onnx", load_external_data=False).graph
    quantised = {node.name for node in graph.node if node.op_type == "MatMulNBits"}
    assert "/model/layers.0/self_attn/q_proj/MatMul" in quantised and len(quantised) == 15
    assert not any(tensor.name == "model.embed_tokens.weight" for tensor in graph.initializer)


def test_a_model_that_is_not_causal_is_refused(small: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"architectures": ["BertForMaskedLM"], "model_type": "bert"}')
    with pytest.raises(UserError, match="config.json: not a causal language model"):
        load_source(tmp_path)
    with pytest.raises(UserError, match="no such file"):
        load_source(tmp_path / "absent")


def test_nan_and_missing_weights_are_refused(small: Path, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    folder = tmp_path / "broken"
    shutil.copytree(small, folder)
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][0] = torch.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="model.norm.weight holds NaN"):
        load_source(folder)
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="no weight model.norm.weight"):
        load_source(folder)


def test_failed_export_leaves_nothing(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gander_training.bases.export.write_quantised", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export_base(small, tmp_path / "base")
    assert list(tmp_path.iterdir()) == []
