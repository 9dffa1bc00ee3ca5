"""A pool's embedder: what is rounded in it, and that the examples match it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from gander_routing.pool import read_pool
from gander_routing.retrieval import Retriever, retrieve, similarities
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from gander_training.cli import main
from gander_training.tiny import retriever as tiny_retriever

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "test/fixtures/tiny-pool"
SHIPPED = ROOT / "models/smollm2-135m"
TEXTS = {id: list(texts) for id, texts in tiny_retriever.EXAMPLES.items()}


def rounding(model: onnx.ModelProto) -> set[str]:
    """The operators of a graph that round during computation, not only in storage."""
    return {
        node.op_type
        for node in model.graph.node
        if "Integer" in node.op_type
        or "Quantize" in node.op_type.replace("Dequantize", "")
        or node.op_type.startswith("QLinear")
        or any(attribute.name == "accuracy_level" and attribute.i > 1 for attribute in node.attribute)
    }


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face folder of a random BERT, large enough for its matrices to be rounded."""
    folder = tmp_path_factory.mktemp("encoder")
    tokenizer: Tokenizer = tiny_retriever.build_tokenizer()
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        initializer_range=0.3,
        attn_implementation="eager",
    )
    BertModel(config, add_pooling_layer=False).eval().save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def test_an_exported_retriever_rounds_only_weights(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "retriever"
    assert main(["export-retriever", str(source), str(target)]) == 0
    model = onnx.load(target / "model.onnx")
    onnx.checker.check_model(model)
    assert rounding(model) == set()
    large = [t for t in model.graph.initializer if np.prod(t.dims) >= 4096]
    assert {t.data_type for t in large} == {onnx.TensorProto.INT8}
    assert len(large) == 2 * 6 + 2, "six matrices per layer, the tables of tokens and of positions"
    retriever, encoder = Retriever(target), BertModel.from_pretrained(source, add_pooling_layer=False).eval()
    # A table has only one scale: cosines were 0.9995 to 0.9999 over three seeds.
    for text in ("", "hello 3 \U0001f9a2", "word " * 200):
        own = tiny_retriever.embed(encoder, retriever.tokenizer, text)
        assert float(retriever.embed([text])[0] @ own) > 0.999


def test_the_retriever_that_ships_rounds_only_weights() -> None:
    assert rounding(onnx.load(SHIPPED / "retriever/model.onnx")) == set()


def data_of(folder: Path, texts: dict[str, list[str]]) -> Path:
    for id, own in texts.items():
        (folder / id).mkdir(parents=True)
        lines = "".join(json.dumps({"text": text}) + "\n" for text in own)
        (folder / id / "train.jsonl").write_text(lines, encoding="utf-8")
    return folder


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """A copy of the tiny pool with examples from another embedder."""
    folder = shutil.copytree(TINY, tmp_path / "pool")
    for path in folder.glob("experts/*/examples.safetensors"):
        save_file({name: -tensor for name, tensor in load_file(path).items()}, path)
    return folder


def test_examples_are_embedded_again(pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["examples", str(pool), "--data", str(data_of(tmp_path / "data", TEXTS))]) == 0
    assert "alpha: 3 examples\n" in capsys.readouterr().out
    for id in TEXTS:
        made, before = (load_file(folder / "experts" / id / "examples.safetensors") for folder in (pool, TINY))
        assert (made["embeddings"].int() - before["embeddings"].int()).abs().max() <= 1
        torch.testing.assert_close(made["scales"], before["scales"], atol=1e-6, rtol=0)
    read = read_pool(pool)
    assert retrieve(read, "import math") == "alpha"
    assert max(similarities(read, "import math")) == pytest.approx(1, abs=0.01)


def test_no_examples_are_written_if_one_expert_has_no_text(
    pool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = pool / "experts/Zeta/examples.safetensors"
    before = path.read_bytes()
    data = data_of(tmp_path / "data", {id: texts for id, texts in TEXTS.items() if id != "beta-2"})
    assert main(["examples", str(pool), "--data", str(data)]) == 1
    assert f"{data / 'beta-2/train.jsonl'}: no such file" in capsys.readouterr().err
    assert path.read_bytes() == before
