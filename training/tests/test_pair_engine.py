"""Each kind of T5, exported in each way, run by the built engine and compared with the PyTorch reference."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import PHATGOOSE
from gander_routing.encoder_decoder import PARTS
from peft import LoraConfig
from safetensors.numpy import load_file
from safetensors.torch import save_file
from torch import nn
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    MT5Config,
    MT5ForConditionalGeneration,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

from gander_training.bases.encoder_decoder import export_pair, products, unchanged
from gander_training.compatibility.engine import ROOT
from gander_training.quiet import quiet
from gander_training.reference.command import main as reference

BASE = PHATGOOSE / "base"
TEXT, TARGET = "question: the farmer counts sheep. why?", "because the gate was open."
BUILT = (ROOT / "dist/cli.cjs").exists()
needs_engine = pytest.mark.skipif(not BUILT and "CI" not in os.environ, reason="npm run build was not run")


def small(plain: bool = False, multilingual: bool = False) -> PreTrainedModel:
    """A random T5: gated like v1.1, FLAN and mT5, or plain and tied like the first T5s."""
    config = json.loads((BASE / "config.json").read_text())
    for name in ("architectures", "model_type"):
        del config[name]
    if plain:
        config |= {"feed_forward_proj": "relu", "dense_act_fn": "relu", "is_gated_act": False}
        config |= {"tie_word_embeddings": True}
    torch.manual_seed(3)
    model = (
        MT5ForConditionalGeneration(MT5Config(**config))
        if multilingual
        else T5ForConditionalGeneration(T5Config(**config))
    )
    for name, parameter in model.named_parameters():
        nn.init.normal_(parameter, float("layer_norm" in name), 0.0 if "layer_norm" in name else 0.3)
    return model


def rounded(source: Path, target: Path) -> None:
    """Export as ``export-base`` does."""
    export_pair(source, target, unchanged, products)


def as_optimum_leaves_it(source: Path, target: Path) -> None:
    """Export to three files, each with its own weights inside."""
    from optimum.exporters.onnx import main_export

    with quiet():
        main_export(
            str(source), target, task="text2text-generation-with-past", do_validation=False, no_post_process=True
        )


def write_pool(folder: Path, model: PreTrainedModel, export: Callable[[Path, Path], None]) -> Path:
    """Write a pool with two experts on every linear layer but the head."""
    source, pool = folder / "hf", folder / "pool"
    model.save_pretrained(source)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(BASE / name, source)
    pool.mkdir()
    export(source, pool / "base")
    linear = {
        name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Linear) and name != "lm_head"
    }
    targets = sorted({name.rpartition(".")[2] for name in linear})
    for expert in "ab":
        own = pool / "experts" / expert
        LoraConfig(r=4, lora_alpha=4, target_modules=targets).save_pretrained(str(own))
        tensors = {}
        for name, layer in linear.items():
            tensors[f"base_model.model.{name}.lora_A.weight"] = torch.randn(4, layer.in_features) * 0.2
            tensors[f"base_model.model.{name}.lora_B.weight"] = torch.randn(layer.out_features, 4) * 0.2
        save_file(tensors, own / "adapter_model.safetensors")
        gates = {name: torch.randn(layer.in_features) for name, layer in linear.items()}
        save_file(gates, own / "gate.safetensors")
    files = {"tokenizer": "base/tokenizer.json", "config": "base/config.json"}
    base = {"name": "small", "model": {part: f"base/{file}" for part, file in PARTS.items()}, **files}
    manifest = {"format": "gander-pool", "version": 1, "id": "small", "name": "small", "base": base}
    (pool / "pool.json").write_text(json.dumps({**manifest, "experts": "experts", "topK": 2}))
    return pool


def route(pool: Path, trace: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run ``gander route`` on a pool."""
    command = ["node", str(ROOT / "dist/cli.cjs"), "route", TEXT, "--target", TARGET, "--pool", str(pool)]
    command += ["--cache", str(trace.parent / "cache"), "--trace", str(trace), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@needs_engine
@pytest.mark.parametrize(
    ("model", "export"),
    (
        (lambda: small(), export_pair),
        (lambda: small(plain=True), export_pair),
        (lambda: small(multilingual=True), export_pair),
        (lambda: small(), rounded),
        (lambda: small(), as_optimum_leaves_it),
    ),
    ids=("gated", "plain-tied", "mt5", "four-bits", "optimum"),
)
def test_the_engine_computes_what_the_reference_does(
    tmp_path: Path, model: Callable[[], PreTrainedModel], export: Callable[[Path, Path], None]
) -> None:
    pool = write_pool(tmp_path, model(), export)
    asked = ["--text", TEXT, "--target", TARGET, "--out", str(tmp_path / "wanted.safetensors")]
    assert reference(["--pool", str(pool), *asked]) == 0
    ran = route(pool, tmp_path / "got.safetensors")
    assert (ran.returncode, ran.stderr) == (0, "")
    wanted, got = load_file(tmp_path / "wanted.safetensors"), load_file(tmp_path / "got.safetensors")
    for name, tensor in wanted.items():
        if name.endswith((".chosen", ".ids")):
            np.testing.assert_array_equal(got[name], tensor, name)
        elif name.endswith((".score", ".weight", ".log_prob")):
            np.testing.assert_allclose(got[name], tensor, atol=1e-4, rtol=0, err_msg=name)


@needs_engine
def test_bart_is_refused_in_one_line(tmp_path: Path) -> None:
    torch.manual_seed(3)
    sizes = {
        "d_model": 32,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
        "vocab_size": 300,
        "max_position_embeddings": 64,
    }
    heads = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 4, "decoder_attention_heads": 4}
    model = BartForConditionalGeneration(BartConfig(**sizes, **heads))
    ran = route(write_pool(tmp_path, model, as_optimum_leaves_it), tmp_path / "got.safetensors")
    assert ran.returncode == 1
    assert "it is not a module of a T5" in ran.stderr
    assert not (tmp_path / "got.safetensors").exists()


@needs_engine
def test_decoders_merged_by_optimum_are_refused_with_a_remedy(tmp_path: Path) -> None:
    from optimum.exporters.onnx import main_export

    def merged(source: Path, target: Path) -> None:
        with quiet():
            main_export(str(source), target, task="text2text-generation-with-past", do_validation=False)
        shutil.copy(target / "decoder_model_merged.onnx", target / PARTS["decoder"])

    ran = route(write_pool(tmp_path, small(), merged), tmp_path / "got.safetensors")
    assert ran.returncode == 1
    assert "as branches" in ran.stderr and "--no-post-process" in ran.stderr
