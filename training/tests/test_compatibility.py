"""A small part of docs/compatibility.md, made and run for real, and how results are judged."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from gander_training import cli
from gander_training.compatibility import engine, mixtures, table
from gander_training.compatibility.architectures import ARCHITECTURES, build, named
from gander_training.compatibility.exporters import EXPORTERS, Exporter
from gander_training.compatibility.kinds import KINDS
from gander_training.compatibility.rounded import dequantised, place
from gander_training.compatibility.ties import apart_from_ties

BUILT = (engine.ROOT / "dist/cli.cjs").exists()
# In CI the engine is built before these tests; without it they would prove nothing.
needs_engine = pytest.mark.skipif(not BUILT and "CI" not in os.environ, reason="npm run build was not run")


def run(folder: Path, *options: str) -> str:
    """Run the command; returns its table."""
    out = folder / "table.md"
    assert cli.main(["compatibility", "--out", str(out), "--folder", str(folder), *options]) == 0
    return out.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Cells of two architectures by one exporter."""
    folder = tmp_path_factory.mktemp("compatibility")
    options = ("--architectures", "llama", "gpt2", "--exporters", "optimum", "--kinds", "fp32", "q4")
    text = run(folder, *options)
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*.json")}
    assert run(folder, *options) == text
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*.json")} == before, (
        "finished cells are not made again"
    )
    yield folder


def result(cell: Path) -> dict:
    return json.loads((cell / "result.json").read_text())


@needs_engine
@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
@pytest.mark.parametrize("kind", ["fp32", "q4"])
def test_cells_are_exact(made: Path, architecture: str, kind: str) -> None:
    found = result(made / architecture / "optimum" / kind)
    assert found["outcome"] == "exact", found
    assert found["placed"] == found["adapted"] == {"llama": 14, "gpt2": 8}[architecture]
    off = found["off"]
    assert off["flipped"] == 0 < off["choices"]
    assert 0 < off["log_prob"] < 1e-3 and 0 < off["affinity"] < 1e-3
    row = next(line for line in (made / "table.md").read_text().splitlines() if line.startswith(f"| {architecture} |"))
    assert table.number(max(off["log_prob"], off["affinity"])) in row


@needs_engine
def test_four_bit_files_are_compared_with_their_rounded_weights(made: Path) -> None:
    plain, rounded = (load_file(made / f"llama/optimum/{kind}/expected/base")["log_prob"] for kind in ("fp32", "q4"))
    assert (plain - rounded).abs().max() > 0.1


@needs_engine
def test_a_different_adapter_is_judged_wrong(made: Path, tmp_path: Path) -> None:
    cell = tmp_path / "cell"
    shutil.copytree(made / "llama/optimum/fp32", cell)
    file = cell / "pool/experts/first/adapter_model.safetensors"
    weights = load_file(file)
    name = next(name for name in weights if name.endswith("layers.1.mlp.down_proj.lora_B.weight"))
    weights[name] *= 1.1
    save_file(weights, file, metadata={"format": "pt"})
    found = engine.run_cell(cell)
    assert found.outcome == "wrong" and found.placed == found.adapted
    assert found.off is not None and found.off.log_prob > engine.EXACT


@needs_engine
def test_a_refusal_quotes_the_engine(made: Path, tmp_path: Path) -> None:
    cell = tmp_path / "cell"
    shutil.copytree(made / "llama/optimum/fp32", cell)
    (cell / "pool/base/model.onnx").write_bytes(b"no graph")
    found = engine.run_cell(cell)
    assert found.outcome == "refused" and found.why.startswith("base-invalid: ")


def judged(off: float, file: float, placed: int = 14, warnings: Sequence[str] = ()) -> str:
    difference = engine.Difference(off, 0, 0, 1, off)
    return engine.judged(engine.Result("exact", "", list(warnings), placed, 14, file, difference))


def test_how_numbers_are_judged() -> None:
    assert judged(1e-5, file=1e-5) == "exact"
    assert judged(0.02, file=0.01) == "near"
    assert judged(1e-5, file=0.01) == "exact"
    assert judged(0.02, file=1e-5) == judged(np.inf, file=0.1) == judged(0.0, 0.0, placed=13) == "wrong"
    assert judged(0.0, 0.0, placed=13, warnings=["one is missing"]) == "in part"


def test_differences_after_a_near_tie_do_not_count() -> None:
    scores = np.array([[0.5, 0.49, 0.0], [0.9, 0.1, 0.0]], np.float32)
    expected = {
        "a:affinity": scores,
        "a:chosen": np.array([[0], [0]]),
        "b:affinity": np.zeros((2, 3), np.float32),
        "b:chosen": np.array([[0], [0]]),
        "log_prob": np.zeros(1, np.float32),
    }
    near = {
        **expected,
        "a:affinity": scores + 1e-3,
        "a:chosen": np.array([[1], [0]]),
        "log_prob": np.ones(1, np.float32),
    }
    near["b:affinity"] = np.ones((2, 3), np.float32)
    assert apart_from_ties(near, expected) == pytest.approx(0.005), "half of the gap, and nothing after it"
    assert apart_from_ties({**near, "a:chosen": np.array([[0], [1]])}, expected) == pytest.approx(1), "no near tie"
    assert apart_from_ties({**near, "a:chosen": expected["a:chosen"]}, expected) == 1, "no different choice before"


def test_a_number_on_one_side_only_is_a_difference() -> None:
    log_prob = np.zeros(1, np.float32)
    got = {"log_prob": log_prob, "m:affinity": np.array([[1.0, np.nan, 0]]), "m:chosen": np.array([[1, 0]])}
    want = {"log_prob": log_prob, "m:affinity": np.array([[1.0, 2.0, 0]]), "m:chosen": np.array([[0, 2]])}
    assert engine.compare(got, want) == engine.Difference(0.0, np.inf, 1, 1, np.inf)


def test_rows_of_a_packed_weight_are_found() -> None:
    torch.manual_seed(0)
    parts = [torch.nn.Linear(16, rows, bias=False) for rows in (8, 4)]
    packed = torch.cat([part.weight.detach() for part in parts]) + 0.01
    assert [place(part, packed) for part in parts] == [8, 4]
    assert torch.equal(torch.cat([part.weight for part in parts]), packed)
    assert place(torch.nn.Linear(16, 8), packed) == 0


@pytest.mark.parametrize("bits", [4, 8])
def test_codes_are_read_as_onnxruntime_reads_them(bits: int, tmp_path: Path) -> None:
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    weight = np.random.default_rng(0).standard_normal((64, 24)).astype(np.float32)
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, n]) for name, n in (("x", 64), ("y", 24))]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "g", ports[:1], ports[1:], [numpy_helper.from_array(weight, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    quantizer = MatMulNBitsQuantizer(model, bits=bits, block_size=32, is_symmetric=False)
    quantizer.process()
    rounded = quantizer.model.model
    node = rounded.graph.node[0]
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in rounded.graph.initializer}
    attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    found = dequantised(*(tensors[name] for name in node.input[1:4]), **attributes)
    session = onnxruntime.InferenceSession(rounded.SerializeToString(), providers=["CPUExecutionProvider"])
    assert isinstance(model, onnx.ModelProto)
    np.testing.assert_allclose(session.run(None, {"x": np.eye(64, dtype=np.float32)})[0], found.numpy().T, atol=1e-5)


def test_building_a_model_again_gives_the_same_weights() -> None:
    first, second = (build(named("gpt2")).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_document_says_which_exporters_are_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Exporter("another exporter", ("no-such-package",), lambda *_: None)
    monkeypatch.setattr(table, "EXPORTERS", [*EXPORTERS[:1], absent])
    text = table.document({})
    assert "Left out, because it was not installed: another exporter (no-such-package)." in text
    assert "\n## another exporter" not in text and f"\n## {EXPORTERS[0].name}" in text


def test_the_committed_document_is_complete() -> None:
    text = (engine.ROOT / "docs/compatibility.md").read_text(encoding="utf-8")
    for exporter in EXPORTERS:
        part = text.split(f"\n## {exporter.name}\n")[1].split("\n## ")[0]
        head, *rows = [line.split("|")[1:-1] for line in part.splitlines() if line.startswith("|")]
        assert [cell.strip() for cell in head[1:]] == [kind.name for kind in KINDS]
        assert [row[0].strip() for row in rows[1:]] == [entry.title for entry in ARCHITECTURES]
        assert "not run" not in part and "**" not in part, "every cell was run, and none is silently wrong"


@needs_engine
def test_an_encoder_decoder_is_compared_with_the_reference(tmp_path: Path) -> None:
    options = ("--of", "encoder-decoders", "--architectures", "t5-v1.1", "bart", "--exporters", "optimum")
    text = run(tmp_path, *options, "--kinds", "q4")
    found = result(tmp_path / "encoder-decoders/t5-v1.1/optimum/q4")
    assert found["outcome"] == "exact", found
    assert found["placed"] == found["adapted"] == 36
    assert found["off"]["flipped"] == 0 < found["off"]["choices"]
    # The comparison was with rounded weights, which differ from the model's.
    assert found["unrounded"]["log_prob"] > 0.01
    refused = result(tmp_path / "encoder-decoders/bart/optimum/q4")
    assert (refused["outcome"], refused["placed"]) == ("refused", 0)
    assert "it is not a module of a T5" in text
    assert f"| t5, v1.1 | not run | {table.number(max(found['off']['log_prob'], found['off']['affinity']))} |" in text


@needs_engine
def test_a_mixture_is_compared_with_its_golden_trace(tmp_path: Path) -> None:
    folder, golden = mixtures.FIXTURES / "mixtral-transformers", mixtures.golden_of("mixtral", "transformers")
    header, wanted = mixtures.read_trace(golden)
    assert float(mixtures.answer(folder, (header, wanted))) < 1e-4
    other = {**wanted, "block.0.weight": wanted["block.0.weight"] + np.float32(0.01)}
    assert mixtures.answer(folder, (header, other)) == "**wrong: 0.01**"
    swapped = {**wanted, "block.0.chosen": wanted["block.0.chosen"][..., ::-1]}
    assert mixtures.answer(folder, (header, swapped)) == "**wrong: other choices**"
    assert mixtures.answer(tmp_path, (header, wanted)).startswith("refused: ")
