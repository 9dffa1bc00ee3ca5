"""Exporting a mixture of experts: only what equals its source is written; what cannot be exported is one line."""

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
from gander_training.tiny.mixtures import config_of, write_moe, write_tokenizer

NEWER = int(transformers.__version__.split(".")[0]) >= 5
needs_exporter = pytest.mark.skipif(not NEWER, reason="transformers 5 is not installed (the extra moe)")


def failure(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run the command; returns its one line of error."""
    capsys.readouterr()  # discards output from making the model
    assert cli.main(["export-moe", *arguments]) == 1
    error: str = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def folder_with(tmp_path: Path, **config: Any) -> Path:
    """A folder with only a config."""
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
def test_with_an_older_transformers_the_error_says_what_to_install(
    capsys: pytest.CaptureFixture[str], mixtral: Path
) -> None:
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
def test_a_model_that_is_not_a_mixture_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, config: dict[str, Any], said: str
) -> None:
    target = tmp_path / "out"
    assert said in failure(capsys, str(folder_with(tmp_path, **config)), str(target))
    assert not target.exists()


# A config for a model of a few hundred weights.
SMALL: dict[str, Any] = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "num_experts_per_tok": 2,
}
MIXTURES: dict[str, dict[str, Any]] = {
    "hunyuan_v1_moe": {"num_experts": 8, "moe_topk": 2},
    "jetmoe": {"num_local_experts": 8, "kv_channels": 8},
    "afmoe": {"num_experts": 8, "num_dense_layers": 1, "moe_intermediate_size": 16},
    "dbrx": {
        "d_model": 32,
        "n_heads": 4,
        "n_layers": 2,
        "attn_config": {"kv_n_heads": 2, "rope_theta": 5e5},
        "ffn_config": {"moe_num_experts": 8, "ffn_hidden_size": 16},
    },
    "llama4_text": {"num_local_experts": 8, "intermediate_size_mlp": 32},
    "jamba": {"num_experts": 8, "attn_layer_period": 2, "attn_layer_offset": 1},
    "longcat_flash": {"num_layers": 2, "n_routed_experts": 8, "zero_expert_num": 2},
    "qwen3_5_moe_text": {"num_experts": 8, "layer_types": ["linear_attention", "full_attention"]},
}


@needs_exporter
@pytest.mark.parametrize("kind", MIXTURES)
def test_a_mixture_is_never_taken_for_a_dense_model(tmp_path: Path, kind: str) -> None:
    from gander_training.mixtures.export import require_moe

    require_moe(folder_with(tmp_path, model_type=kind, **{**SMALL, **MIXTURES[kind]}))


@needs_exporter
@pytest.mark.parametrize(
    ("kind", "config", "said"),
    [
        # Lightning attention depends on values while it is traced.
        (
            "minimax",
            {"num_local_experts": 8, "layer_types": ["linear_attention", "full_attention"], "block_size": 16},
            "MiniMaxLightningAttention",
        ),
        # The exported graph takes Mamba's state in another shape than it returns it.
        (
            "jamba",
            {
                "num_experts": 8,
                "expert_layer_period": 1,
                "expert_layer_offset": 0,
                "attn_layer_period": 2,
                "attn_layer_offset": 1,
                "mamba_d_state": 4,
                "mamba_dt_rank": 4,
            },
            "JambaMambaMixer",
        ),
    ],
)
def test_what_cannot_be_exported_is_reported_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str, config: dict[str, Any], said: str
) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    source = folder_with(tmp_path, model_type=kind, **{**SMALL, "max_position_embeddings": 256, **config})
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(source)).float().save_pretrained(source)
    write_tokenizer(source)
    error = failure(capsys, str(source), str(tmp_path / "out"))
    assert f"{kind}, whose layers of {said}" in error and "is not supported" in error
    assert not (tmp_path / "out").exists()


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
def test_four_bits_are_compared_with_the_same_rounded_weights(
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
    assert kinds.count("Gemm") == 2 and kinds.count("MatMul") == 4  # routers; products in attention
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
    from gander_training.mixtures import export as export_moe

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
