"""The tiny pool and the forms of its base: reproducible, small, and what they claim to be."""

from __future__ import annotations

import filecmp
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from gander_routing.pool import read_pool
from gander_routing.retrieval import Retriever

from gander_training.reference.golden import load_base
from gander_training.texts.tokens import load_tokenizer
from gander_training.tiny import bases as tiny_bases
from gander_training.tiny import pool as tiny
from gander_training.tiny import retriever as tiny_retriever
from gander_training.tiny.__main__ import main

FIXTURES = Path(__file__).parents[2] / "test/fixtures"
SAME = ["dynamo", "gemm", "initializer", "packed", "optimised"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixtures, made again by the command."""
    out = tmp_path_factory.mktemp("made")
    assert main(["--out", str(out)]) == 0
    return out


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def run_chunks(model: Path, ids: np.ndarray, cuts: list[int]) -> np.ndarray:
    """Logits [batch, T, V] of an exported base, run in chunks over its keys and values."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    batch = ids.shape[0]
    past = [np.zeros((batch, tiny.KV_HEADS, 0, tiny.HIDDEN // tiny.HEADS), np.float32)] * (2 * tiny.LAYERS)
    out = []
    for start, end in zip([0, *cuts], [*cuts, ids.shape[1]], strict=True):
        feed = {
            "input_ids": ids[:, start:end],
            "attention_mask": np.ones((batch, end), np.int64),
            "position_ids": np.tile(np.arange(start, end), (batch, 1)),
            **dict(zip(tiny_bases.past_names("past_key_values"), past, strict=True)),
        }
        logits, *past = session.run(["logits", *tiny_bases.past_names("present")], feed)
        out.append(logits)
    return np.concatenate(out, axis=1)


def plain_logits(model: torch.nn.Module, ids: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return model(input_ids=torch.from_numpy(ids), use_cache=False).logits.numpy()


def test_it_is_reproducible_bit_for_bit(made: Path, tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path)]) == 0
    names = files(made)
    assert names == files(tmp_path)
    assert filecmp.cmpfiles(made, tmp_path, names, shallow=False)[1:] == ([], [])


def test_another_seed_gives_another_pool(made: Path, tmp_path: Path) -> None:
    tiny.write_base(tmp_path, seed=1)
    assert (tmp_path / "model.onnx").read_bytes() != (made / "tiny-pool/base/model.onnx").read_bytes()
    assert (tmp_path / "tokenizer.json").read_bytes() == (made / "tiny-pool/base/tokenizer.json").read_bytes()


def test_the_committed_fixtures_are_what_the_command_makes(made: Path) -> None:
    for folder in ("tiny-pool", "bases"):
        assert files(FIXTURES / folder) == files(made / folder)
    committed, fresh = FIXTURES / "tiny-pool/experts", made / "tiny-pool/experts"
    drawn = [name for name in files(fresh) if name.endswith(("model.safetensors", "gate.safetensors"))]
    assert len(drawn) == 8
    assert filecmp.cmpfiles(committed, fresh, drawn, shallow=False)[0] == drawn


def test_it_is_small_and_contains_no_local_paths(made: Path) -> None:
    sizes = {name: (made / name).stat().st_size for name in files(made)}
    assert sum(size for name, size in sizes.items() if name.startswith("tiny-pool/")) < 1_000_000
    assert all(size < 300_000 for size in sizes.values())
    for name in sizes:
        content = (made / name).read_bytes()
        assert b"site-packages" not in content and b"/tmp" not in content, name


def test_the_experts_are_in_code_point_order(made: Path) -> None:
    pool = read_pool(made / "tiny-pool")
    assert [expert.id for expert in pool.experts] == ["Zeta", "alpha", "beta-10", "beta-2"]
    assert [expert.name for expert in pool.experts] == [expert.name for expert in tiny.EXPERTS.values()]
    assert pool.multitask is not None


def test_the_tokenizer_leads_with_end_of_text_and_keeps_every_byte(made: Path) -> None:
    tokenizer = load_tokenizer(made / "tiny-pool")
    assert tokenizer.get_vocab_size() == tiny.VOCABULARY
    for text in ("", "a", "12\r\n\t\0", "\U0001f9a2\U0001f468\u200d\U0001f52c e\u0301", "the experts know"):
        ids = tokenizer.encode(text).ids
        assert ids[0] == 0
        assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert tokenizer.encode("12").tokens == [tiny.END_OF_TEXT, "1", "2"]


def test_the_export_computes_the_model(made: Path) -> None:
    ids = np.random.default_rng(0).integers(0, tiny.VOCABULARY, (1, 12))
    plain = plain_logits(tiny.build_model(), ids)
    np.testing.assert_allclose(run_chunks(made / "tiny-pool/base/model.onnx", ids, [5, 6]), plain, atol=1e-4)
    for folder in (made, FIXTURES):
        np.testing.assert_allclose(plain_logits(load_base(folder / "tiny-pool"), ids), plain, atol=1e-5)


@pytest.mark.parametrize("name", SAME)
def test_other_forms_compute_the_same(made: Path, name: str) -> None:
    for batch in (1, 2):
        ids = np.random.default_rng(batch).integers(0, tiny.VOCABULARY, (batch, 12))
        plain = plain_logits(tiny.build_model(), ids)
        np.testing.assert_allclose(run_chunks(made / f"bases/{name}/model.onnx", ids, [5, 6]), plain, atol=1e-4)


def test_the_four_bit_form_computes_its_own_rounded_weights(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "tiny-pool", tmp_path / "pool")
    shutil.copyfile(made / "bases/matmulnbits/model.onnx", tmp_path / "pool/base/model.onnx")
    ids = np.random.default_rng(0).integers(0, tiny.VOCABULARY, (1, 12))
    rounded = plain_logits(load_base(tmp_path / "pool"), ids)
    np.testing.assert_allclose(run_chunks(tmp_path / "pool/base/model.onnx", ids, [5, 6]), rounded, atol=1e-3)
    assert abs(rounded - plain_logits(tiny.build_model(), ids)).max() > 0.1


def test_each_form_names_its_modules_in_its_own_way(made: Path) -> None:
    graphs = {name: onnx.load(made / f"bases/{name}/model.onnx").graph for name in tiny_bases.VARIANTS}
    modules = set(tiny.module_paths())
    scopes = [
        json.loads(entry.value.replace("'", '"'))
        for node in graphs["dynamo"].node
        for entry in node.metadata_props
        if node.op_type == "MatMul" and entry.key == "pkg.torch.onnx.name_scopes"
    ]
    assert modules <= {scope[-2] for scope in scopes}
    assert {f"{path}.weight" for path in modules} <= {item.name for item in graphs["initializer"].initializer}
    assert not any("layers" in node.name for node in graphs["initializer"].node)
    for name, kind in (("gemm", "Gemm"), ("matmulnbits", "MatMulNBits")):
        found = [node.name for node in graphs[name].node if node.op_type == kind]
        assert len(found) == len(modules) and all("/model/layers." in node for node in found)


def test_the_retriever_computes_its_embeddings(made: Path) -> None:
    retriever, encoder = Retriever(made / "tiny-pool/retriever"), tiny_retriever.build_encoder(tiny.SEED)
    for text in ("", "hello 3 \U0001f9a2", "word " * 200):
        own = tiny_retriever.embed(encoder, tiny_retriever.build_tokenizer(), text)
        torch.testing.assert_close(retriever.embed([text])[0], own, atol=1e-5, rtol=0)
