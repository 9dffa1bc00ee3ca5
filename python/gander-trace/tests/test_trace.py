"""Traces survive writing and reading, and errors say what breaks the format."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from gander_trace import Block, Expert, ExpertSet, Router, Sequence, Site, Source, Tokens, Trace, TraceError


def small(**changes: Any) -> Trace:
    """Two layers of three experts, two of which are chosen; an input and an output."""
    rng = np.random.default_rng(7)
    trace = Trace(
        source=Source("server", "a server", id="tiny", versions={"server": "1"}),
        router=Router("deepseek-v3", 2, "sigmoid", {"scale": 2.5, "renormalised": True}),
        interventions=[{"action": "knock-out", "expert": "1", "scope": {"layer": 1}}],
        sequences=[
            Sequence(
                3,
                "input",
                text="a 🪿\ud800",
                tokens=["a", " 🪿", "\ud800"],
                ids=np.array([1, 2, 3]),
                start=np.array([0, 1, 4]),
                end=np.array([1, 4, 5]),
                special=np.array([0, 0, 0]),
                log_prob=np.array([np.nan, -1, -2]),
                top_ids=np.zeros((3, 2), int),
                top_log_prob=np.full((3, 2), -1.0),
                top_tokens=[["x", "y"]] * 3,
            ),
            Sequence(2, "output"),
        ],
        expert_sets=[ExpertSet("layer", [Expert(str(e), f"Expert {e}") for e in range(3)], [Expert("s", "Shared")])]
        * 2,
        sites=[Site("encoder.0", 0, "router", 0, 0, "encoder"), Site("decoder.0", 0, "router", 1, 1, "decoder")],
        blocks=[
            Block(
                0,
                1,
                np.array([[[0, 1], [2, 0], [-1, -1]]]),
                weight=rng.random((1, 3, 2)),
                score=rng.random((1, 3, 3)),
                selection=rng.random((1, 3, 3)),
                contribution=rng.random((1, 3, 2)),
                always_on_weight=rng.random((1, 3, 1)),
            ),
            Block(1, 2, np.array([[[2], [0]]])),
        ],
        created="2026-01-01T00:00:00Z",
    )
    return replace(trace, **changes)


def same(a: Any, b: Any) -> bool:
    """Compares dataclasses, lists and arrays; NaN equals NaN."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.allclose(np.asarray(a), np.asarray(b), equal_nan=True, rtol=1e-6)
    if hasattr(a, "__dataclass_fields__"):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def test_a_trace_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "a.gander.safetensors"
    small().save(file)
    assert same(Trace.load(file), small())


def test_the_bytes_are_those_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "a.gander.safetensors"
    file.write_bytes(small().to_bytes())
    assert same(Trace.load(file), small())


def test_an_empty_trace_comes_back(tmp_path: Path) -> None:
    trace = Trace.from_choices(np.zeros((0, 4, 2), int), tokens=Tokens(ids=np.arange(4)))
    trace.save(tmp_path / "a")
    assert Trace.load(tmp_path / "a").sites == []


def test_rows_are_views(tmp_path: Path) -> None:
    small().save(tmp_path / "a")
    trace = Trace.load(tmp_path / "a")
    rows = trace["encoder.0"]
    assert rows.chosen.shape == (3, 2) and rows.score is not None and rows.score.shape == (3, 3)
    assert np.shares_memory(rows.chosen, trace.blocks[0].chosen)
    assert [one.name for one in rows.experts] == ["Expert 0", "Expert 1", "Expert 2"]
    assert trace["decoder.0"].weight is None
    assert [one.site.path for one in trace] == ["encoder.0", "decoder.0"]
    with pytest.raises(KeyError):
        trace["nowhere"]


def block(**changes: Any) -> list[Block]:
    first, second = small().blocks
    return [replace(first, **changes), second]


def sequence(**changes: Any) -> list[Sequence]:
    first, second = small().sequences
    return [replace(first, **changes), second]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"blocks": block(chosen=np.array([[[0, 3], [2, 0], [1, 1]]]))}, "does not exist"),
        ({"blocks": block(chosen=np.array([[[0, 1]]]))}, "not \\(1, 3, 2\\)|not \\(1, 3, 1\\)|is \\(1, 1, 2\\)"),
        ({"blocks": block(chosen=np.full((1, 3, 2), 70_000))}, "do not fit int16"),
        ({"blocks": block(chosen=np.full((1, 3, 2), 0.5))}, "do not fit int16"),
        ({"blocks": block(weight=np.zeros((1, 3, 1)))}, "block.0.weight is"),
        ({"blocks": small().blocks[:1]}, "sites from 1 on are in no block"),
        ({"blocks": [replace(small().blocks[0], last=2)]}, "not alike"),
        ({"sequences": sequence(end=np.array([1, 4, 9]))}, "outside the text"),
        ({"sequences": sequence(text=None)}, "is missing"),
        ({"sequences": sequence(tokens=["a"])}, "1 tokens of 3"),
        ({"sequences": sequence(top_log_prob=None)}, "only one"),
        ({"expert_sets": small().expert_sets[:1]}, "do not exist"),
    ],
)
def test_what_breaks_the_format_is_not_written(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(TraceError, match=why):
        small(**changes).save(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_more_than_can_be_shown_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="40000 tokens"):
        Trace.from_choices(np.zeros((1, 40_000, 1), int)).save(tmp_path / "a")
    with pytest.raises(TraceError, match="2000 experts"):
        Trace.from_choices(np.zeros((1, 1, 1), int), experts=2000).save(tmp_path / "a")


def test_what_is_no_trace_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"no trace")
    with pytest.raises(TraceError, match="not a usable trace"):
        Trace.load(file)
    save_file({"x": np.zeros(1)}, file)
    with pytest.raises(TraceError, match="without the entry"):
        Trace.load(file)
    for header, why in [({"version": 3}, "version 3"), ({"version": 2}, "malformed"), ({"version": 1}, "version 1")]:
        save_file({"x": np.zeros(1)}, file, {"gander-trace": json.dumps(header)})
        with pytest.raises(TraceError, match=why):
            Trace.load(file)


def test_offsets_are_utf16() -> None:
    tokens = Tokens.at("🪿 a", [None, (0, 1), (1, 3)], ids=[0, 5, 6])
    assert tokens.start is not None and tokens.end is not None and tokens.special is not None
    assert tokens.start.tolist() == [-1, 0, 2]
    assert tokens.end.tolist() == [-1, 2, 4]
    assert tokens.special.tolist() == [1, 0, 0]
    with pytest.raises(TraceError, match="outside"):
        Tokens.at("a", [(0, 5)])
