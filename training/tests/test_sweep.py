"""Every mixture of transformers: which are found, how results are judged, and that a process that dies is a row."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import transformers

from gander_training.compatibility.table import reason
from gander_training.sweep import command, page
from gander_training.sweep.compared import TIE, compare
from gander_training.sweep.families import Family, families
from gander_training.sweep.truth import Site, read_truth
from gander_training.sweep.ways import WAYS, Opened, Way

needs_5 = pytest.mark.skipif(int(transformers.__version__.split(".")[0]) < 5, reason="needs transformers 5")


def site(score: list[list[float]], chosen: list[list[int]], weight: list[list[float]]) -> Site:
    given = np.array(score)
    return Site("layers.0.mlp.gate", given, np.array(chosen), np.array(weight), given)


def judged(own: Site, theirs: Site, own_said: float = -1.0) -> tuple[bool, float, int]:
    found = compare([own], [replace(theirs, path="layers.0.mlp")], np.array([own_said]), np.array([-1.0]))
    return found.is_exact, found.off, found.ties


def test_results_are_judged_by_choices_weights_scores_and_log_probabilities() -> None:
    theirs = site([[3.0, 2, 1], [1, 3, 2]], [[0, 1], [2, 1]], [[0.6, 0.4], [0.3, 0.7]])
    ordered = replace(theirs, chosen=np.array([[0, 1], [1, 2]]), weight=np.array([[0.6, 0.4], [0.7, 0.3]]))
    assert judged(ordered, theirs) == (True, 0.0, 0), "the order of the chosen means nothing"
    assert not judged(replace(ordered, weight=ordered.weight[:, ::-1]), theirs)[0]
    assert not judged(replace(ordered, score=ordered.score + [0, 0, 0.01]), theirs)[0]
    assert not judged(replace(ordered, score=ordered.score / 4), theirs)[0], "a multiple is another score"
    assert not judged(ordered, theirs, own_said=-1.01)[0]
    assert not judged(replace(ordered, chosen=np.array([[0, 2], [1, 2]])), theirs)[0]


def test_an_exporter_may_name_a_router_as_it_likes_but_not_put_it_into_another_layer() -> None:
    theirs = site([[3.0, 2, 1], [1, 3, 2]], [[0, 1], [2, 1]], [[0.6, 0.4], [0.3, 0.7]])
    own = replace(theirs, path="model.layers.0.feed_forward.gate")
    assert judged(own, theirs)[0]
    assert not judged(replace(own, path="model.layers.1.mlp.gate"), theirs)[0]


def test_a_choice_by_rounding_is_counted_and_nothing_after_it_compared() -> None:
    theirs = site([[3.0, 2, 1], [3, 2, 2 + TIE / 2]], [[0, 1], [0, 1]], [[0.6, 0.4], [0.6, 0.4]])
    own = replace(theirs, chosen=np.array([[0, 1], [0, 2]]), weight=np.array([[0.6, 0.4], [0.5, 0.5]]))
    assert judged(own, theirs, own_said=-7.0)[2] == 1
    assert judged(own, theirs)[0]


@needs_5
def test_configurations_with_experts_are_found_by_their_fields() -> None:
    found = {family.name: family for family in families()}
    assert {"mixtral", "dbrx", "llama4_text", "longcat_flash", "ernie4_5_moe", "flex_olmo"} <= found.keys()
    assert not {"llama", "bamba", "gemma2"} & found.keys()
    assert found["qwen3_vl_moe_text"].loaded == "qwen3_vl_moe", "a part is loaded with its model"
    assert found["switch_transformers"].loaded is None and found["switch_transformers"].whose == "Gander"


@needs_5
@pytest.mark.parametrize("name", ["flex_olmo", "gemma4_text", "inkling_text", "zaya", "deepseek_v4", "qwen3_next"])
def test_unusual_routers_are_read_by_gander_serve(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    command.make(next(family for family in families() if family.name == name), folder)
    serve = WAYS["gander-serve"]
    opened = serve.open(folder / "model", folder / "truth.safetensors")
    assert opened.outcome == "exact", opened
    assert opened.choices == sum(len(one.chosen) for one in read_truth(folder / "truth.safetensors")[2]) > 20
    # A truth with other weights is not agreed with.
    from safetensors.numpy import load_file, save_file

    tensors = load_file(folder / "truth.safetensors")
    key = next(key for key in tensors if key.endswith(":weight"))
    save_file({**tensors, key: tensors[key] + np.float32(0.01)}, folder / "other.safetensors")
    assert serve.open(folder / "model", folder / "other.safetensors").outcome == "wrong"


def dies(*_: Path) -> Opened:
    os.abort()


def hangs(*_: Path) -> Opened:
    time.sleep(600)
    return Opened("exact")


def fails(*_: Path) -> Opened:
    raise ValueError("planted")


def works(*_: Path) -> Opened:
    return Opened("exact", off=0.0)


@needs_5
def test_a_process_that_dies_or_hangs_is_a_row_and_the_others_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "engine_hash", lambda: "a build")
    ways = [Way(f.__name__, ("torch",), f) for f in (dies, hangs, fails, works)]
    # The processes are forked from this one, which knows these ways.
    monkeypatch.setattr(command, "PROCESSES", command.multiprocessing.get_context("fork"))
    for way in ways:
        monkeypatch.setitem(command.WAYS, way.name, way)
    folder = tmp_path / "planted"
    folder.mkdir()
    (folder / "truth.safetensors").write_bytes(b"")
    command.sweep(Family("planted", "planted"), folder, ways, limit=20)
    told = {way.name: command.read_json(folder / f"{way.name}.json") for way in ways}
    assert [told[way.name]["outcome"] for way in ways] == ["not exported"] * 3 + ["exact"]
    assert "signal 6" in told["dies"]["why"] and "20 s" in told["hangs"]["why"] and "error" in told["fails"]["why"]
    before = (folder / "works.json").stat().st_mtime_ns
    command.sweep(Family("planted", "planted"), folder, ways, limit=20)
    assert (folder / "works.json").stat().st_mtime_ns == before, "finished cells do not run again"


def test_reasons_that_differ_in_names_and_colours_alone_are_one() -> None:
    missing = (
        "ValueError: Component 'model' has {} initializer(s) without weights: 'model.layers.0.a.weight' (and 1 mor"
    )
    assert (
        reason(missing.format(6))
        == reason(missing.format(28))
        == missing.split("has")[0] + "has initializers without weights"
    )
    assert (
        reason("The .compatibility/mixtures/zaya/model is not \x1b[96msupported\x1b[0m.") == "The … is not supported."
    )


def test_reasons_have_letters_and_say_whose_they_are() -> None:
    refused = {"outcome": "refused", "why": "no routers", "whose": "Gander", "off": None, "ties": 0}
    exact = {"outcome": "exact", "why": "", "whose": "", "off": 2e-6, "ties": 0}
    lines = page.swept_table(
        [
            (Family("one", "one"), {"gander-serve": exact, "transformers": refused}),
            (Family("two", "whole"), {"gander-serve": refused}),
            (Family("three", None, "it labels tokens", "nobody"), {}),
        ]
    )
    assert lines[2:5] == [
        "| one | 2e-6 | refused a | not run | not run |",
        "| two (whole) | refused a | not run | not run | not run |",
        "| three | – b | | | |",
    ]
    assert lines[6:8] == ["- a. Gander: no routers", "- b. nobody: it labels tokens"]
