"""X-LoRA over HTTP, compared with PEFT's own numbers: in chunks, with keys and values of both passes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import FIXTURES, Served
from gander_routing.forward import routed_forward
from gander_routing.pool import read_pool
from gander_routing.strategies import Strategy
from gander_routing.whatif import Intervention, Scope
from gander_trace import Trace
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from test_together import held_to_alone

from gander_serve import pool as serving
from gander_serve.errors import ServeError
from gander_serve.frame import Array
from gander_serve.loading import Where
from gander_serve.pool import PoolModel

PEFT = FIXTURES / "peft"
CASES = sorted((file.parts[-4], file.parts[-2]) for file in PEFT.glob("*/xlora/*/golden.safetensors"))
BOUND = 2e-5
X_LORA = {"name": "x-lora"}
TEXT = "the experts that know the text"
FIRST = "base_model.internal_xlora_classifier.layers.0.weight"
Start = Callable[..., Served]


def case_of(architecture: str, name: str) -> dict[str, Any]:
    with safe_open(PEFT / architecture / "xlora" / name / "golden.safetensors", "np") as file:
        about: dict[str, Any] = json.loads(file.metadata()["case"])
    return about


def write_pool(folder: Path, architecture: str, name: str, *more: str, gated: bool = False) -> Path:
    """A pool of a fixture's base, its classifier and the experts that this knows, and ``more`` experts."""
    source, case = PEFT / architecture, case_of(architecture, name)
    for part in ["base", *(f"experts/{one}" for one in [*case["experts"], *more])]:
        shutil.copytree(source / part, folder / part)
    shutil.copytree(source / "xlora" / name, folder / "xlora")
    entry = {"classifier": "xlora", "experts": case["experts"], "modules": case["modules"]}
    manifest = json.loads((source / "pool.json").read_text())
    (folder / "pool.json").write_text(json.dumps({**manifest, "xlora": entry}))
    if gated:
        for index, expert in enumerate(read_pool(folder).experts):
            gates = {
                path: np.sin((index + 2) * np.arange(1, lora.a.shape[1] + 1) + row).astype(np.float32)
                for row, (path, lora) in enumerate(expert.lora.items())
            }
            save_file(gates, folder / "experts" / expert.id / "gate.safetensors")
    return folder


@pytest.fixture(scope="session")
def scaled(server: Start, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Served]:
    """A pool with a classifier, served."""
    started: dict[Any, Served] = {}

    def get(architecture: str, name: str, *more: str, chunk: int = 7, gated: bool = False) -> Served:
        key = (architecture, name, more, chunk, gated)
        if key not in started:
            folder = write_pool(tmp_path_factory.mktemp("scaled") / "pool", architecture, name, *more, gated=gated)
            started[key] = server(PoolModel(folder, Where()), chunk)
        return started[key]

    return get


def weights_of(trace: Trace) -> Array:
    """What each expert was multiplied by, [M, T, N]."""
    (block,) = trace.blocks
    assert block.weight is not None
    told = np.zeros((*block.chosen.shape[:2], len(trace.expert_sets[0].experts)), np.float32)
    for slot in range(block.chosen.shape[2]):
        row, token = np.nonzero(block.chosen[..., slot] >= 0)
        told[row, token, block.chosen[row, token, slot]] = block.weight[row, token, slot]
    return told


def ids_of(trace: Trace) -> list[str]:
    return [expert.id for expert in trace.expert_sets[0].experts]


@pytest.mark.parametrize(("architecture", "name"), CASES)
def test_a_trace_has_pefts_numbers(scaled: Callable[..., Served], architecture: str, name: str) -> None:
    served, case = scaled(architecture, name), case_of(architecture, name)
    golden = load_file(PEFT / architecture / "xlora" / name / "golden.safetensors")
    trace = served.trace("route", text=case["text"], strategy=X_LORA)
    rows = [case["modules"].index(site.path) for site in trace.sites]
    columns = [case["experts"].index(identifier) for identifier in ids_of(trace)]
    assert len(rows) == len(case["modules"]) and len(columns) == len(case["experts"])
    score, weight = (golden[column][rows][..., columns] for column in ("affinity", "weight"))
    told = trace.sequences[0]
    assert told.log_prob is not None and told.count > 7, "the text takes several chunks"
    np.testing.assert_allclose(trace.blocks[0].score, score, atol=BOUND, rtol=0)  # type: ignore[arg-type]
    np.testing.assert_allclose(told.log_prob[1:], golden["log_prob"], atol=BOUND, rtol=0)
    own = weights_of(trace)
    other = ((own == 0) != (weight == 0)).any(-1)
    # Where PEFT chooses another adapter, rounding cannot tell two scores apart.
    assert (np.diff(np.sort(score, -1)).min(-1)[other] < BOUND).all()
    assert other.sum() < 0.001 * other.size
    np.testing.assert_allclose(own[~other], weight[~other], atol=BOUND, rtol=0)


def test_info_and_the_trace_name_the_strategy_as_the_engine_does(scaled: Callable[..., Served]) -> None:
    served = scaled("llama", "layerwise-top2")
    info = served.client.get("/v1/info").json()
    assert info["strategies"][0] == "x-lora" and "phatgoose" not in info["strategies"] and info["warnings"] == []
    router = served.trace("route", text=TEXT).router
    assert (router.name, router.k, router.scoring) == ("x-lora", None, None)
    assert router.params == {
        "affinities": "x-lora", "softmax": True, "temperature": 0.7, "topK": 2, "softmaxOfTopK": False,
        "globalWeight": 1, "passValue": 0,
    }  # fmt: skip
    plain = scaled("llama", "plain").trace("route", text=TEXT, strategy=X_LORA).router
    assert plain.scoring == "softmax" and plain.params is not None and "topK" not in plain.params


@pytest.mark.parametrize(
    ("architecture", "name"), [("llama", "layerwise-top2"), ("qwen3", "scaling-pass"), ("phi", "no-softmax")]
)
def test_a_text_is_continued_as_if_it_had_been_read_whole(
    scaled: Callable[..., Served], architecture: str, name: str
) -> None:
    # The second range begins in the text and ends in the generated part.
    spans = ((2, 5), (8, 30))
    tilt = {"action": "tilt", "expert": "second", "scope": {"tokens": spans}, "amount": 1.5}
    for chunk in (1, 256):
        served = scaled(architecture, name, chunk=chunk)
        written = served.trace("generate", text=TEXT, strategy=X_LORA, maxTokens=6, interventions=[tilt])
        told, model = written.sequences[0], served.service.engine.model
        assert told.ids is not None and isinstance(model, PoolModel)
        result = routed_forward(
            model.loaded.model,
            model.adapters,
            torch.tensor(told.ids.tolist()),
            Strategy("x-lora"),
            classifier=model.classifier,
            interventions=[Intervention("tilt", "second", Scope(tokens=spans), 1.5)],
        )
        np.testing.assert_array_equal(written.blocks[0].chosen, result.chosen.numpy())
        np.testing.assert_allclose(written.blocks[0].weight, result.weight.numpy(), atol=BOUND)  # type: ignore[arg-type]
        np.testing.assert_allclose(written.blocks[0].score, result.affinity.numpy(), atol=BOUND)  # type: ignore[arg-type]
        np.testing.assert_allclose(told.log_prob, result.log_prob.numpy(), atol=BOUND)  # type: ignore[arg-type]


def test_what_ifs_act_on_the_logits_of_the_second_pass(scaled: Callable[..., Served]) -> None:
    served = scaled("llama", "plain")
    plain = served.trace("route", text=TEXT, strategy=X_LORA)
    second = ids_of(plain).index("second")

    def act(action: str, **scope: Any) -> Trace:
        amount = {"amount": 1.5} if action == "tilt" else {}
        item = {"action": action, "expert": "second", "scope": scope, **amount}
        return served.trace("route", text=TEXT, strategy=X_LORA, interventions=[item])

    out = act("knock-out")
    assert not weights_of(out)[..., second].any()
    np.testing.assert_allclose(weights_of(out).sum(-1), 1, atol=1e-6)
    scope = {"module": "model.layers.1.mlp.up_proj", "token": 8}
    tilted, row = act("tilt", **scope), [site.path for site in plain.sites].index(scope["module"])
    assert plain.blocks[0].score is not None
    wanted = plain.blocks[0].score[row, 8].astype(np.float64)
    wanted[second] += 1.5
    np.testing.assert_allclose(weights_of(tilted)[row, 8], np.exp(wanted) / np.exp(wanted).sum(), atol=1e-6)
    assert (np.abs(weights_of(tilted) - weights_of(plain)) > 1e-3).sum() == 3
    for changed in (out, tilted):
        # Before any what-if: the classifier reads the base, which none changes.
        np.testing.assert_allclose(changed.blocks[0].score, plain.blocks[0].score, atol=BOUND)  # type: ignore[arg-type]
    forced = act("force")
    assert (weights_of(forced) == np.eye(3, dtype=np.float32)[second]).all()
    alone = served.trace("route", text=TEXT, strategy={"name": "single", "expert": "second"})
    np.testing.assert_allclose(forced.sequences[0].log_prob, alone.sequences[0].log_prob, atol=BOUND)  # type: ignore[arg-type]


def test_attribution_and_scores(scaled: Callable[..., Served]) -> None:
    served = scaled("qwen3", "scaling-pass")
    told = served.post("attribute", text=TEXT, strategy=X_LORA).json()
    plain = served.trace("route", text=TEXT, strategy=X_LORA).sequences[0].log_prob
    out = {"action": "knock-out", "expert": told["experts"][1]["id"], "scope": {}}
    without = served.trace("route", text=TEXT, strategy=X_LORA, interventions=[out]).sequences[0].log_prob
    assert plain is not None and without is not None
    np.testing.assert_allclose([row[1] for row in told["change"][1:]], (without - plain)[1:], atol=BOUND)
    assert np.abs(without - plain)[1:].max() > 1e-3
    bits = served.post("score", text=TEXT, strategy=X_LORA).json()["bits"]
    assert bits == pytest.approx(-float(plain[1:].sum()) / np.log(2), abs=1e-3)


@pytest.mark.parametrize(("architecture", "name"), [("llama", "few"), ("qwen3", "scaling-pass")])
def test_requests_in_one_pass_give_the_same_traces_as_alone(
    scaled: Callable[..., Served], architecture: str, name: str
) -> None:
    served = scaled(architecture, name, chunk=64)
    texts = ["a", TEXT, "geese", "know the text that the experts know"]
    # Each runs twice, of which the first of the request that the others wait for is not counted.
    assert held_to_alone(served, [{"text": text, "strategy": X_LORA} for text in texts]) == [1, 4, 4]


def test_an_expert_that_the_classifier_does_not_know_has_no_score_and_no_weight(scaled: Callable[..., Served]) -> None:
    without = scaled("phi", "no-softmax").trace("route", text=TEXT, strategy=X_LORA)
    beside = scaled("phi", "no-softmax", "few").trace("route", text=TEXT, strategy=X_LORA)
    np.testing.assert_allclose(beside.sequences[0].log_prob, without.sequences[0].log_prob, atol=BOUND)  # type: ignore[arg-type]
    few = ids_of(beside).index("few")
    assert beside.blocks[0].score is not None
    assert np.isnan(beside.blocks[0].score[..., few]).all() and not (beside.blocks[0].chosen == few).any()


def spoil(folder: Path) -> None:
    file = folder / "xlora/adapter_model.safetensors"
    tensors = load_file(file)
    tensors[FIRST][0, 3] = np.nan
    save_file(tensors, file)


def test_a_pool_with_gates_offers_both_and_with_a_damaged_classifier_only_its_gates(
    scaled: Callable[..., Served], server: Start, tmp_path: Path
) -> None:
    both = scaled("llama", "plain", gated=True)
    offered = both.client.get("/v1/info").json()["strategies"]
    assert offered[:2] == ["phatgoose", "x-lora"]
    scaled_alone = scaled("llama", "plain").trace("route", text=TEXT, strategy=X_LORA).sequences[0].log_prob
    told = both.trace("route", text=TEXT, strategy=X_LORA).sequences[0].log_prob
    np.testing.assert_allclose(told, scaled_alone, atol=BOUND)  # type: ignore[arg-type]
    folder = write_pool(tmp_path / "pool", "llama", "plain", gated=True)
    spoil(folder)
    damaged = server(PoolModel(folder, Where()))
    info = damaged.client.get("/v1/info").json()
    assert info["strategies"] == [name for name in offered if name != "x-lora"]
    (warning,) = info["warnings"]
    assert warning["code"] == "part-left-out"
    assert warning["text"].startswith("The X-LoRA classifier is left out: ") and "not finite" in warning["text"]
    assert "import-xlora" in warning["text"]
    status, code, _ = damaged.refused("route", text=TEXT, strategy=X_LORA)
    assert (status, code) == (400, "strategy-unavailable")
    gates = [one.trace("route", text=TEXT).sequences[0].log_prob for one in (damaged, both)]
    np.testing.assert_array_equal(*gates)  # type: ignore[call-overload]


def test_without_gates_a_damaged_classifier_is_refused_before_the_base_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: object) -> None:
        raise AssertionError("the base is loaded")

    monkeypatch.setattr(serving, "_loaded", load)

    def config(folder: Path, **change: Any) -> None:
        file = folder / "xlora/adapter_config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **change}))

    def without(folder: Path) -> None:
        file = folder / "xlora/adapter_model.safetensors"
        save_file({name: one for name, one in load_file(file).items() if name != FIRST}, file)

    damages: list[tuple[str, str, Callable[[Path], None]]] = [
        ("not finite", "import-xlora", spoil),
        (r"is \[3, 32\], not \[3, 16\]", "import-xlora", lambda folder: config(folder, hidden_size=16)),
        ("save_pretrained of PEFT 0.21 leaves it out", "from the model in memory", without),
        ('must not have "gating"', 'remove "xlora"', lambda folder: config(folder, gating="new")),
    ]
    for index, (message, remedy, damage) in enumerate(damages):
        folder = write_pool(tmp_path / str(index), "llama", "plain")
        damage(folder)
        with pytest.raises(ServeError, match=message) as refused:
            PoolModel(folder, Where())
        assert refused.value.code == "cannot-serve" and remedy in refused.value.remedy
        assert str(folder) in refused.value.message


def test_a_base_of_another_width_is_refused_when_the_server_starts(tmp_path: Path) -> None:
    folder = write_pool(tmp_path / "pool", "llama", "plain")
    file = folder / "xlora/adapter_model.safetensors"
    save_file({name: one[:, :16] if one.ndim > 1 else one for name, one in load_file(file).items()}, file)
    described = folder / "xlora/adapter_config.json"
    described.write_text(json.dumps({**json.loads(described.read_text()), "hidden_size": 16}))
    with pytest.raises(ServeError, match="reads 16 numbers of a token, and the base's head 32"):
        PoolModel(folder, Where())


def test_logits_that_are_not_finite_are_an_error_of_the_request(server: Start, tmp_path: Path) -> None:
    model = PoolModel(write_pool(tmp_path / "pool", "llama", "plain"), Where())
    served = server(model)
    with torch.no_grad():
        model.loaded.model.model.norm.weight[0] = torch.inf
    status, code, message = served.refused("route", text=TEXT, strategy=X_LORA)
    assert (status, code) == (500, "base-invalid") and "logit of the X-LoRA classifier" in message
