"""Pools over HTTP: every strategy and what-if in chunks, compared with the golden traces of the whole text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import FIXTURES, Served, assert_spelled, bits_of, frames
from gander_routing.forward import routed_forward
from gander_routing.strategies import Strategy
from gander_routing.whatif import Intervention, Scope
from gander_trace import Trace
from safetensors import safe_open

from gander_serve.errors import ServeError
from gander_serve.loading import Where
from gander_serve.pool import PoolModel

GOLDEN = FIXTURES / "golden/tiny"
# Golden traces with raw biases and weights, a rounded base and an empty text, which a request cannot ask for.
NOT_ASKED = {"phatgoose-k2-bias", "phatgoose-k2-fixed", "phatgoose-k2-half", "phatgoose-k2-empty"}
NAMES = sorted({file.stem for file in GOLDEN.glob("*.safetensors")} - NOT_ASKED)


def header_of(name: str) -> dict[str, Any]:
    with safe_open(GOLDEN / f"{name}.safetensors", "np") as file:
        header: dict[str, Any] = json.loads(file.metadata()["gander-trace"])
    return header


@pytest.mark.parametrize("name", NAMES)
def test_a_trace_equals_the_golden_trace(pool: Served, name: str) -> None:
    golden, header = Trace.load(GOLDEN / f"{name}.safetensors"), header_of(name)
    strategy = {key: value for key, value in header["strategy"].items() if name != "retrieval" or key != "expert"}
    trace = pool.trace("route", text=header["text"], strategy=strategy, interventions=header["interventions"])
    told, sequence = trace.sequences[0], golden.sequences[0]
    for column in ("ids", "start", "end"):
        np.testing.assert_array_equal(getattr(told, column), getattr(sequence, column))
    assert_spelled(told.tokens, sequence.tokens)
    np.testing.assert_allclose(told.log_prob, sequence.log_prob, atol=2e-5)
    assert [(s.path, s.layer, s.kind) for s in trace.sites] == [(s.path, s.layer, s.kind) for s in golden.sites]
    assert [one.name for one in trace.expert_sets[0].experts] == [one.name for one in golden.expert_sets[0].experts]
    (own,), (block,) = trace.blocks, golden.blocks
    np.testing.assert_array_equal(own.chosen, block.chosen)
    for column in ("weight", "contribution", "score"):
        given, wanted = getattr(own, column), getattr(block, column)
        np.testing.assert_allclose(given, wanted, atol=2e-5, err_msg=column)
    assert list(trace.interventions) == header["interventions"]
    assert trace.router.name == strategy["name"] and trace.router.k == header["strategy"].get("k")
    assert (trace.router.params or {}).get("expert") == header["strategy"].get("expert")
    assert trace.source.tokenizer == header["tokenizer"]["hash"]


def test_info_describes_the_pool(pool: Served) -> None:
    info = pool.client.get("/v1/info").json()
    assert info["family"] == "pool" and info["limits"]["k"] == 2
    assert info["strategies"][0] == "phatgoose" and {"retrieval", "multitask", "merged-factors"} <= {
        *info["strategies"]
    }
    assert [one["id"] for one in info["experts"]] == ["Zeta", "alpha", "beta-10", "beta-2"]
    assert info["sites"][0] == {
        "path": "model.layers.0.self_attn.q_proj", "layer": 0, "kind": "q", "sequence": 0, "expertSet": 0,
    }  # fmt: skip
    assert info["expertSets"] == [{"scope": "pool", "experts": info["experts"]}]


def test_without_a_strategy_the_pools_default_is_used(pool: Served) -> None:
    router = pool.trace("route", text="a b c").router
    assert (router.name, router.k) == ("phatgoose", 2)
    assert pool.trace("route", text="a b c", strategy={"name": "arrow", "k": 99}).router.k == 4


def test_attribution_knocks_out_every_expert(pool: Served) -> None:
    text = "def area(r): return r"
    plain = pool.trace("route", text=text).sequences[0].log_prob
    told = pool.post("attribute", text=text).json()
    assert [one["id"] for one in told["experts"]] == ["Zeta", "alpha", "beta-10", "beta-2"]
    out = {"action": "knock-out", "expert": "beta-2", "scope": {}}
    without = pool.trace("route", text=text, interventions=[out]).sequences[0].log_prob
    assert plain is not None and without is not None
    np.testing.assert_allclose([row[3] for row in told["change"][1:]], (without - plain)[1:], atol=1e-6)


def test_a_generated_text_has_the_trace_that_reading_it_gives(pool: Served) -> None:
    knock_out = {"action": "knock-out", "expert": "alpha", "scope": {}}
    late = {"action": "force", "expert": "Zeta", "scope": {"token": 20}}
    # The second range begins in the text and ends in the generated part.
    some = {"action": "tilt", "expert": "Zeta", "scope": {"tokens": [[1, 3], [9, 15]]}, "amount": 2.5}
    asked = {"interventions": [knock_out, some, late], "strategy": {"name": "phatgoose", "k": 3}}
    text = "def area(r):"
    written = pool.trace("generate", text=text, maxTokens=16, **asked)
    told = written.sequences[0]
    assert told.ids is not None and told.count > 21 and told.text is not None
    model = pool.service.engine.model
    assert isinstance(model, PoolModel)
    result = routed_forward(
        model.loaded.model, model.adapters, torch.tensor(told.ids.tolist()), Strategy("phatgoose", 3),
        interventions=[
            Intervention("knock-out", "alpha"),
            Intervention("tilt", "Zeta", Scope(tokens=((1, 3), (9, 15))), 2.5),
            Intervention("force", "Zeta", Scope(token=20)),
        ],
    )  # fmt: skip
    np.testing.assert_array_equal(written.blocks[0].chosen, result.chosen.numpy())
    np.testing.assert_allclose(written.blocks[0].score, result.affinity.numpy(), atol=2e-5)  # type: ignore[arg-type]
    np.testing.assert_allclose(told.log_prob, result.log_prob.numpy(), atol=2e-5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"strategy": {"name": "oracle"}}, "strategy-unavailable", '"oracle"'),
        ({"strategy": {"name": "single"}}, "request-invalid", "names no expert"),
        ({"strategy": {"name": "single", "expert": "gamma"}}, "request-invalid", '"gamma"'),
        ({"strategy": {"name": "phatgoose", "k": 0}}, "request-invalid", "at least 1"),
        ({"interventions": [{"action": "force", "expert": "gamma"}]}, "request-invalid", '"gamma"'),
        *(
            (
                {"interventions": [{"action": "force", "expert": "Zeta", "scope": {"tokens": ranges}}]},
                "request-invalid",
                why,
            )
            for ranges, why in [
                ([], "0 ranges"),
                ([[3, 3]], "invalid range"),
                ([[0, True]], "invalid range"),
                ([[-1, 2]], "invalid range"),
            ]
        ),
    ],
)
def test_requests_for_what_the_pool_lacks_are_refused(
    pool: Served, body: dict[str, Any], code: str, message: str
) -> None:
    told = pool.refused("route", text="a", **body)
    assert told[:2] == (400, code) and message in told[2]


def test_a_trace_that_would_be_too_large_is_refused_before_it_is_made(
    pool: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gander_serve.engine.MOST_BYTES", 4 * 14 * 4 * 3)
    assert pool.trace("route", text="a ").sequences[0].count == 3
    told = pool.refused("route", text="a b")
    assert told[:2] == (413, "trace-invalid") and "14 sites" in told[2]


def test_a_pool_on_its_base_as_a_folder_of_transformers(server: Callable[..., Served], tmp_path: Path) -> None:
    own = PoolModel(FIXTURES / "tiny-pool", Where())
    own.loaded.model.save_pretrained(tmp_path / "base")
    spread = {"model.embed_tokens": "cpu", "model.layers.0": "cpu", "model.layers.1": "disk", "model.norm": "cpu"}
    where = Where({**spread, "model.rotary_emb": "cpu", "lm_head": "cpu"}, torch.float32, offload=tmp_path)
    for device in (Where(), where):
        served = server(PoolModel(FIXTURES / "tiny-pool", device, str(tmp_path / "base")))
        golden = Trace.load(GOLDEN / "phatgoose-k2.safetensors")
        trace = served.trace("route", text=golden.sequences[0].text)
        np.testing.assert_array_equal(trace.blocks[0].chosen, golden.blocks[0].chosen)
        np.testing.assert_allclose(trace.blocks[0].weight, golden.blocks[0].weight, atol=2e-5)  # type: ignore[arg-type]


def test_a_pool_with_experts_for_another_base_is_refused(folder_of: Callable[[str], Path]) -> None:
    with pytest.raises(ServeError, match="the base has no linear layer"):
        PoolModel(FIXTURES / "tiny-pool", Where(), str(folder_of("mixtral")))


def test_a_score_equals_the_sum_over_the_trace(pool: Served) -> None:
    text = "def area(r): return r  # 日本 🪿 e\u0301"
    for strategy in ({"name": "phatgoose", "k": 2}, {"name": "base"}):
        told = pool.trace("route", text=text, strategy=strategy).sequences[0]
        assert told.start is not None and told.end is not None and told.log_prob is not None
        counted = np.flatnonzero(told.start >= 0)
        counted = counted[counted > 0]
        score = pool.post("score", text=text, strategy=strategy).json()
        assert score["bits"] == pytest.approx(bits_of(told.log_prob, counted), abs=1e-4)
        # The text after the first token, with each character counted once.
        first = 0 if told.start[0] < 0 else int(told.end[0])
        assert (score["tokens"], score["bytes"]) == (len(counted), len(text[first:].encode()))
    assert pool.post("score", text=text, interventions=[{"action": "knock-out", "expert": "alpha"}]).json() != score


def test_a_score_is_not_limited_to_the_size_of_a_trace(pool: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gander_serve.engine.MOST_BYTES", 10)
    assert pool.refused("route", text="a b")[1] == "trace-invalid"
    assert pool.post("score", text="a b").status_code == 200


def test_a_score_reports_progress(pool: Served) -> None:
    text = "def area(r): return r"
    count = pool.trace("route", text=text).sequences[0].count
    accept = {"accept": "application/x-gander-frames"}
    with pool.client.stream("POST", "/v1/score", json={"text": text}, headers=accept) as answer:
        told = frames(pool, answer)
    assert told.last[0] == 5 and json.loads(told.last[1]) == pool.post("score", text=text).json()
    assert told.progress[-1] == {"done": count, "total": count} and not told.partial


def test_bytes_are_spelled_as_the_extensions_engine_spells_them(pool: Served, pair: Served) -> None:
    """A goose is four bytes, and no entry of these small vocabularies has all of them."""
    told = pool.trace("route", text="e 🪿").sequences[0].tokens
    assert told is not None and "".join(told).endswith(r"e \xf0\x9f\xaa\xbf")
    names = [pair.service.engine.loaded.tokenizer.readable(token) for token in range(300)]
    assert not any("▁" in name for name in names)
