"""Pools on every form of T5 over HTTP, compared with the authors' code and with the pool's own graphs.

They run with transformers 4 and 5, which disagree about which weights are tied.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import transformers
from conftest import FIXTURES, Served, bits_of
from gander_trace import Trace
from onnx import helper, numpy_helper
from safetensors import safe_open
from safetensors.torch import load_file

from gander_serve.errors import ServeError
from gander_serve.loading import Where
from gander_serve.pool import PoolModel

OLD = int(transformers.__version__.split(".")[0]) < 5
POOL = FIXTURES / "tiny-t5"
GOLDEN = FIXTURES / "golden/tiny-t5"
T5 = FIXTURES / "phatgoose-t5"
TEXT = "question: the farmer counts sheep near the old mill every morning. why?"
TARGET = "because the gate was open and the cold wind moves it."


@dataclass
class Form:
    """A form of T5: its class, and whether its head is tied to the embedding."""

    architecture: str
    tied: bool

    def write(self, folder: Path) -> None:
        """Writes the tiny pool on such a base, with its configuration and its decoder's graph changed accordingly."""
        shutil.copytree(POOL, folder)
        file = folder / "base/config.json"
        kind = self.architecture.removesuffix("ForConditionalGeneration").lower()
        told = {"architectures": [self.architecture], "model_type": kind, "tie_word_embeddings": self.tied}
        file.write_text(json.dumps(json.loads(file.read_text()) | told))
        if self.tied:
            tie(folder / "base/decoder_model.onnx")


FORMS = {
    "the paper's": Form("T5ForConditionalGeneration", False),
    "the first": Form("T5ForConditionalGeneration", True),
    "mT5": Form("MT5ForConditionalGeneration", False),
    "a tied mT5": Form("MT5ForConditionalGeneration", True),
}


def tie(path: Path) -> None:
    """Makes a graph's head its embedding, and scales the head's input down as a tied T5 does."""
    model = onnx.load(path)
    tensors = {one.name: one for one in model.graph.initializer}
    (place,) = (i for i, one in enumerate(model.graph.node) if one.op_type == "MatMul" and "lm_head" in one.name)
    head = model.graph.node[place]
    (table,) = (name for name in tensors if name.endswith("shared.weight") or name.endswith("embed_tokens.weight"))
    embedding = numpy_helper.to_array(tensors[table])
    scale = numpy_helper.from_array(np.array(embedding.shape[1] ** -0.5, np.float32), "scale")
    model.graph.initializer.extend([scale, numpy_helper.from_array(embedding.T.copy(), "tied")])
    model.graph.node.insert(place, helper.make_node("Mul", [head.input[0], "scale"], ["scaled"]))
    head = model.graph.node[place + 1]
    head.input[0], head.input[1] = "scaled", "tied"
    onnx.save(model, path)


def computed(folder: Path, ids: Any, written: Any) -> Any:
    """Log-probabilities [T, V] from the pool's graphs, without experts."""
    encoder, decoder = (
        onnxruntime.InferenceSession(str(folder / "base" / name))
        for name in ("encoder_model.onnx", "decoder_model.onnx")
    )
    mask = np.ones_like(ids[None])
    (hidden,) = encoder.run(None, {"input_ids": ids[None], "attention_mask": mask})
    feeds = {"encoder_attention_mask": mask, "encoder_hidden_states": hidden, "input_ids": written[None]}
    return torch.from_numpy(decoder.run(["logits"], feeds)[0][0]).log_softmax(-1).numpy()


@pytest.mark.parametrize("name", [name for name, form in FORMS.items() if OLD or form != FORMS["a tied mT5"]])
def test_every_form_equals_what_the_pools_graphs_compute(
    server: Callable[..., Served], tmp_path: Path, name: str
) -> None:
    FORMS[name].write(tmp_path / "pool")
    served = server(PoolModel(tmp_path / "pool", Where()))
    source, told = served.trace("route", text=TEXT, target=TARGET, strategy={"name": "base"}).sequences
    assert source.ids is not None and told.ids is not None
    wanted = computed(tmp_path / "pool", source.ids.astype(np.int64), told.ids.astype(np.int64))
    np.testing.assert_allclose(told.log_prob[1:], wanted[np.arange(told.count - 1), told.ids[1:]], atol=2e-5)  # type: ignore[index]


@pytest.mark.skipif(OLD, reason="transformers 4 computes it in the same way as the graphs")
def test_a_form_that_this_version_of_transformers_computes_differently_is_refused(tmp_path: Path) -> None:
    FORMS["a tied mT5"].write(tmp_path / "pool")
    with pytest.raises(ServeError, match="does not compute this head as the pool's graphs do"):
        PoolModel(tmp_path / "pool", Where())


def test_a_base_whose_weights_change_when_loaded_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Imitates a version of transformers that ties weights which the pool does not."""
    monkeypatch.setattr(
        "gander_routing.fill._untie", lambda model, given: setattr(model.lm_head, "weight", model.shared.weight)
    )
    with pytest.raises(ServeError, match="puts another weight in the place of"):
        PoolModel(POOL, Where())


@pytest.mark.parametrize("name", sorted(file.stem for file in GOLDEN.glob("*.safetensors")))
def test_a_trace_equals_the_golden_trace(pair: Served, name: str) -> None:
    golden = Trace.load(GOLDEN / f"{name}.safetensors")
    with safe_open(GOLDEN / f"{name}.safetensors", "np") as file:
        header = json.loads(file.metadata()["gander-trace"])
    source, written = golden.sequences
    strategy = {"name": golden.router.name, "k": golden.router.k, "expert": (golden.router.params or {}).get("expert")}
    asked = {"text": source.text, "strategy": strategy, "interventions": header["interventions"]}
    if name.endswith("generated"):
        trace = pair.trace("generate", maxTokens=written.count - 1, **asked)
    else:
        trace = pair.trace("route", target=written.text, **asked)
    for told, wanted in zip(trace.sequences, golden.sequences, strict=True):
        np.testing.assert_array_equal(told.ids, wanted.ids)
    np.testing.assert_allclose(trace.sequences[1].log_prob, written.log_prob, atol=2e-5)
    for own, block in zip(trace.blocks, golden.blocks, strict=True):
        np.testing.assert_array_equal(own.chosen, block.chosen)
        for column in ("weight", "contribution", "score"):
            np.testing.assert_allclose(getattr(own, column), getattr(block, column), atol=2e-5, err_msg=column)


@pytest.fixture(scope="session")
def authors() -> dict[str, torch.Tensor]:
    """Results of the authors' released code."""
    return load_file(T5 / "golden.safetensors")


@pytest.mark.parametrize("k", [1, 2])
def test_an_encoder_decoder_equals_the_authors_code(pair: Served, authors: dict[str, torch.Tensor], k: int) -> None:
    trace = pair.trace("route", text=TEXT, target=TARGET, strategy={"name": "phatgoose", "k": k})
    source, written = trace.sequences
    assert (source.role, written.role, source.log_prob) == ("input", "output", None)
    assert source.ids is not None and written.ids is not None and written.start is not None
    assert source.ids.tolist() == authors["t0.encoder_ids"].tolist()
    assert written.ids.tolist() == authors["t0.decoder_input_ids"].tolist()
    assert written.start[0] == -1 and written.text == TARGET
    key = f"phatgoose_top{k}.t0"
    said = authors[f"{key}.logits"].log_softmax(-1)[:-1].gather(1, authors["t0.labels"].long()[:-1, None])[:, 0]
    np.testing.assert_allclose(written.log_prob[1:], said, atol=2e-5)  # type: ignore[index]
    assert trace.router.params == {"epsilon": 1e-6} and len(trace.sites) > 20
    for rows in trace:
        scores = authors[f"{key}.{rows.site.path}.scores"].numpy()
        assert trace.sequences[rows.site.sequence].count == len(scores)
        np.testing.assert_allclose(rows.score, scores, atol=2e-5)  # type: ignore[arg-type]
        np.testing.assert_array_equal(rows.chosen, authors[f"{key}.{rows.site.path}.indices"].numpy())


def test_what_an_encoder_decoder_writes_equals_the_authors_code(pair: Served, authors: dict[str, torch.Tensor]) -> None:
    wanted = authors["phatgoose_top1.t0.generated_ids"].tolist()
    asked = {"text": TEXT, "strategy": {"name": "phatgoose", "k": 1}}
    trace = pair.trace("generate", maxTokens=len(wanted) - 1, **asked)
    ids = trace.sequences[1].ids
    assert ids is not None and ids.tolist() == wanted
    told = trace.sequences[1]
    assert told.text and told.end is not None and told.end[-1] == len(told.text)
    # A route without a target writes one too, until it ends or reaches its limit.
    longer = pair.trace("route", **asked).sequences[1].ids
    assert longer is not None and longer.tolist()[: len(wanted)] == wanted


def test_what_ifs_can_name_a_sequence_and_a_stack(pair: Served) -> None:
    info = pair.client.get("/v1/info").json()
    assert info["can"]["target"] and {site.get("stack") for site in info["sites"]} == {"encoder", "decoder"}
    first, last = (info["experts"][i]["id"] for i in (0, -1))
    items = [
        {"action": "knock-out", "expert": first, "scope": {"kind": "cross-k"}},
        {"action": "force", "expert": last, "scope": {"token": 3, "sequence": 1}},
        # Past the end of the input, so it applies to no token.
        {"action": "force", "expert": first, "scope": {"token": 9000}},
    ]
    trace = pair.trace("route", text=TEXT, target=TARGET, interventions=items)
    for rows in trace:
        if rows.site.kind == "cross-k":
            assert not (rows.chosen == 0).any()
        if rows.site.sequence == 1:
            assert rows.chosen[3].tolist() == [len(rows.experts) - 1, -1]
        else:
            assert (rows.chosen[3] >= 0).all()


def test_attribution_of_a_given_output(pair: Served) -> None:
    assert pair.refused("attribute", text=TEXT)[1] == "request-invalid"
    told = pair.post("attribute", text=TEXT, target=TARGET).json()
    count = pair.trace("route", text=TEXT, target=TARGET).sequences[1].count
    assert len(told["experts"]) == 5 and len(told["change"]) == len(told["logProb"]) == count


def test_with_a_target_the_score_covers_only_the_target(pair: Served) -> None:
    assert pair.refused("score", text=TEXT)[1] == "request-invalid"
    score = pair.post("score", text=TEXT, target=TARGET).json()
    told = pair.trace("route", text=TEXT, target=TARGET).sequences[1]
    assert told.log_prob is not None
    assert score["bits"] == pytest.approx(bits_of(told.log_prob, slice(1, None)), abs=1e-4)
    assert score["bytes"] == len(TARGET.encode()) and score["tokens"] == told.count - 1
