"""Atlases: read, and made of the same choices as by the extension (test/unit/atlas/across.test.ts holds the other side)."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas
import pytest

from gander_trace import Tokens, Trace, TraceError
from gander_trace.atlas import TABLES, Atlas, AtlasMaker
from gander_trace.atlas.columns import COLUMNS
from gander_trace.atlas.counts import class_of
from gander_trace.atlas.javascript import Random, mixed

FIXTURE = Path(__file__).resolve().parents[3] / "test/fixtures/atlas"
THEIRS = Atlas.open(FIXTURE / "typescript.gander-atlas")
TRACES = sorted((FIXTURE / "traces").glob("*.safetensors"))


def maker(files: Sequence[Path] = TRACES) -> AtlasMaker:
    made = AtlasMaker()
    for file in files:
        id = file.name.split(".")[0]
        # One letter stands for documents without a label.
        made.add(Trace.load(file), id=id, label=None if id[0] == "c" else id[0])
    return made


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    folder = tmp_path_factory.mktemp("atlas") / "made.gander-atlas"
    atlas = maker().save(folder)
    if os.environ.get("GANDER_WRITE_FIXTURES") == "1":
        shutil.rmtree(FIXTURE / "python.gander-atlas", ignore_errors=True)
        shutil.copytree(folder, FIXTURE / "python.gander-atlas")
    return atlas


def test_parts_are_those_that_the_extension_merges(tmp_path: Path) -> None:
    """test/engine/atlas.test.ts holds the other side."""
    for part in (0, 1):
        atlas = maker(TRACES[part::2]).save(tmp_path / f"{part}.gander-atlas")
        committed = FIXTURE / f"python-parts/{part}.gander-atlas"
        if os.environ.get("GANDER_WRITE_FIXTURES") == "1":
            committed.mkdir(parents=True, exist_ok=True)
            for name in ("atlas.json", "sums.safetensors"):
                shutil.copy(atlas.folder / name, committed / name)
        assert {**Atlas.open(committed).about, "gander": ""} == {**atlas.about, "gander": ""}


def alike(a: Any, b: Any, tolerance: float) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)
    return bool(a == b)


def check_alike(own: Any, other: Any, tolerance: float) -> None:
    assert sorted(own.column_names) == sorted(other.column_names)
    assert own.num_rows == other.num_rows
    for column in own.column_names:
        pairs = zip(own[column].to_pylist(), other[column].to_pylist(), strict=True)
        assert [pair for pair in pairs if not alike(*pair, tolerance)] == [], column


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_those_of_the_extension(made: Atlas, name: Any) -> None:
    own = made.table(name)
    assert own.column_names == list(COLUMNS[name])
    check_alike(own, THEIRS.table(name), 1e-6)


@pytest.mark.parametrize("name", TABLES)
def test_what_is_written_is_what_the_extension_reads(made: Atlas, name: Any) -> None:
    committed = Atlas.open(FIXTURE / "python.gander-atlas")
    assert {**committed.about, "gander": ""} == {**made.about, "gander": ""}
    assert made.table(name).schema.equals(committed.table(name).schema)
    # Processors take logarithms with other last digits.
    check_alike(made.table(name), committed.table(name), 1e-12)


def test_an_atlas_is_five_lines_from_a_table() -> None:
    atlas = Atlas.open(FIXTURE / "typescript.gander-atlas")
    labels = atlas.to_pandas("labels")
    found = labels[labels.specialised & (labels.lift > 0)]
    assert found[["layer", "expert", "label"]].values.tolist() == [[0, 5, "b"]]
    assert atlas.about["totals"]["documents"] == len(TRACES)
    assert atlas.table("documents", ["document", "tokens"]).column_names == ["document", "tokens"]


def test_numbers_are_those_of_plain_pandas() -> None:
    parts = [Trace.load(file).to_pandas().assign(label=file.name[0], document=file.name) for file in TRACES]
    # The first token is special.
    choices = pandas.concat(parts)[lambda table: table.token > 0]
    of = ["layer", "expert"]
    load = choices.groupby(of).size() / choices.groupby("layer").size()
    experts = THEIRS.to_pandas("experts").set_index(["layer", "name"])
    for unit, row in experts.iterrows():
        assert row.load == pytest.approx(load.get(unit, 0))
        assert row.documents == choices.set_index(of).document.get(unit, pandas.Series(dtype=str)).nunique()
    weights = choices.groupby(of).weight.mean()
    assert experts.weight.dropna().to_dict() == pytest.approx(weights.to_dict(), abs=1e-5)
    share = choices.groupby(["label", *of]).size() / choices.groupby(["label", "layer"]).size()
    labels = THEIRS.to_pandas("labels")
    assert len(labels) == 2 * len(experts)
    for row in labels.itertuples():
        known = share.get((row.label, row.layer, row.name), 0)
        assert row.share == pytest.approx(known)
        if known > 0:
            assert row.lift == pytest.approx(np.log2(known / load[row.layer, row.name]))


def test_an_atlas_is_made_in_a_loop_over_router_logits(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    config = SimpleNamespace(model_type="mixtral", num_experts_per_tok=2, num_hidden_layers=2)
    loop = AtlasMaker()
    for d in range(6):
        ids = random.integers(0, 50, 30)
        logits = random.normal(size=(2, 30, 4)).astype(np.float32)
        loop.add(Trace.from_router_logits(logits, config=config, tokens=Tokens(ids=ids)), id=f"d{d}", label="ab"[d % 2])
    experts = loop.save(tmp_path / "loop.gander-atlas").to_pandas("experts")
    assert experts.groupby("layer").load.sum().tolist() == pytest.approx([1, 1])
    assert experts.tokens.sum() == 6 * 30 * 2 * 2
    assert experts.low.notna().all() and (experts.low <= experts.load).all() and (experts.load <= experts.high).all()


def test_a_layer_with_two_routers_has_a_name_for_each(tmp_path: Path) -> None:
    trace = Trace.load(TRACES[0])
    kinds = ("self_attention", "mlp")
    two = replace(
        trace, sites=[replace(site, layer=0, kind=kind) for site, kind in zip(trace.sites, kinds, strict=True)]
    )
    made = AtlasMaker()
    made.add(two, id="a")
    atlas = made.save(tmp_path / "two.gander-atlas")
    assert [(one["layer"], one["router"]) for one in atlas.about["layers"]] == [(0, kind) for kind in kinds]
    load = atlas.to_pandas("experts").groupby(["layer", "router"]).load.sum()
    assert load.to_dict() == pytest.approx({(0, kind): 1 for kind in kinds})
    same = replace(trace, sites=[replace(site, layer=0) for site in trace.sites])
    with pytest.raises(TraceError, match="gander atlas make"):
        AtlasMaker().add(same, id="a")


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    trace = Trace.load(TRACES[0])
    made = AtlasMaker()
    with pytest.raises(TraceError, match="no document"):
        made.save(tmp_path / "none")
    made.add(trace, id="a")
    with pytest.raises(TraceError, match="a document a already"):
        made.add(trace, id="a")
    with pytest.raises(TraceError, match="another router"):
        made.add(replace(trace, router=replace(trace.router, k=1)), id="b")
    with pytest.raises(TraceError, match="other layers or experts"):
        made.add(Trace.from_choices([[[0]]], experts=3, tokens=Tokens(ids=np.array([1]))), id="b")
    with pytest.raises(TraceError, match="gander atlas make"):
        AtlasMaker().add(Trace.load(next((FIXTURE.parent / "golden/tiny").glob("*.safetensors"))), id="a")
    made.save(tmp_path / "a.gander-atlas")
    with pytest.raises(TraceError, match="already exists"):
        made.save(tmp_path / "a.gander-atlas")


def test_what_is_no_atlas_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="is not an atlas"):
        Atlas.open(tmp_path)
    (tmp_path / "atlas.json").write_text('{"format": "gander-atlas", "version": 2}')
    with pytest.raises(TraceError, match="version 2"):
        Atlas.open(tmp_path)
    (tmp_path / "atlas.json").write_text('{"format": "gander-atlas", "version": 1}')
    with pytest.raises(TraceError, match="not a complete atlas"):
        Atlas.open(tmp_path).table("experts")
    with pytest.raises(TraceError, match="choose one of"):
        Atlas.open(tmp_path).table("expert")  # type: ignore[arg-type]


def test_numbers_are_the_extensions() -> None:
    """As src/statistics/random.ts and hash.ts have them, computed one by one with Python's whole numbers."""

    def imul(a: int, b: int) -> int:
        return (a * b) & 0xFFFFFFFF

    state, wanted = 7, []
    for _ in range(50):
        state = (state + 0x6D2B79F5) & 0xFFFFFFFF
        x = imul(state ^ state >> 15, 1 | state)
        x = ((x + imul(x ^ x >> 7, 61 | x)) & 0xFFFFFFFF) ^ x
        wanted.append((x ^ x >> 14) / 2**32)
    random = Random(7)
    assert [*random.take(20), *random.take(30)] == wanted
    assert int(mixed(0)) == 0 ^ int(mixed(0))
    assert mixed(1, np.array([2, 3])).tolist() == [int(mixed(1, 2)), int(mixed(1, 3))]


@pytest.mark.parametrize(
    ("token", "wanted"),
    [(" the", 0), ("▁x", 0), ("ing", 1), (" 12", 2), ("▁", 3), (" (", 3), ("\t ", 4), (" \n", 5), ("a1", 6), ("", 6)],
)
def test_classes_of_tokens(token: str, wanted: int) -> None:
    assert class_of(token) == wanted
