"""For notebooks: a table, a short repr, errors in words, and files that are written whole or not at all."""

from __future__ import annotations

import builtins
import re
import stat
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_trace import small

import gander_trace
from gander_trace import Router, Site, Tokens, Trace, TraceError


def test_it_tells_its_version() -> None:
    assert gander_trace.__version__ == version("gander-trace")


def test_a_table_has_a_row_for_each_choice() -> None:
    trace = small()
    table, block = trace.to_pandas(), trace.blocks[0]
    assert len(table) == sum(int((one.chosen >= 0).sum()) for one in trace.blocks) == 6
    assert list(table.columns)[:9] == ["site", "layer", "stack", "kind", "sequence", "token", "text", "rank", "expert"]
    row = table.iloc[2]
    assert (row.site, row.stack, row.token, row.text, row["rank"], row.expert) == (
        "encoder.0",
        "encoder",
        1,
        " 🪿",
        0,
        "2",
    )
    assert block.weight is not None and block.score is not None and block.selection is not None
    assert row.weight == np.float32(block.weight[0, 1, 0]) and row.score == np.float32(block.score[0, 1, 2])
    assert row.selection == np.float32(block.selection[0, 1, 2])
    last = table.iloc[-1]
    assert (last.site, last.token) == ("decoder.0", 1)
    assert table[["text", "stack", "weight", "score"]].isna().iloc[-1].tolist() == [True, False, True, True]
    assert table.groupby("expert").size().to_dict() == {"0": 3, "1": 1, "2": 2}


def test_a_table_of_nothing_has_its_columns() -> None:
    assert len(small(sites=[], blocks=[]).to_pandas().columns) == 13


def test_without_pandas_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **options: Any) -> Any:
        if name == "pandas":
            raise ImportError(name)
        return real(name, *more, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(TraceError, match=re.escape("pip install gander-trace[pandas]")):
        small().to_pandas()


def test_what_it_is_fits_a_line() -> None:
    assert repr(small()) == "<Trace of 'a server': 3 + 2 tokens, 2 sites, 3 experts, deepseek-v3, k 2>"
    trace = small()
    for one in (*trace.sequences, *trace.blocks, *trace.expert_sets, *trace, Tokens(ids=np.arange(10_000))):
        assert len(repr(one)) < 400 and "\n" not in repr(one)
    assert repr(trace.blocks[1]) == "Block(first=1, last=2, chosen=int64[1, 2, 1])"
    assert repr(Tokens(text="a" * 500)).endswith("…)")


@pytest.mark.parametrize(
    "wrong",
    [
        {"router": Router("x", params={"scale": float("nan")})},
        {"router": Router("x", params={"scale": object()})},  # type: ignore[dict-item]
        {"interventions": [7]},
        {"sequences": [None]},
        {"sites": [Site("a", 0, "router", sequence="b")] * 2},  # type: ignore[arg-type]
    ],
)
def test_what_is_no_trace_is_one_kind_of_error(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(TraceError):
        small(**wrong).save(tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_column_of_words_is_no_column(tmp_path: Path) -> None:
    sequence = replace(small().sequences[0], ids=["a", "b", "c"])  # type: ignore[arg-type]
    with pytest.raises(TraceError, match="wrong value or type"):
        small(sequences=[sequence, small().sequences[1]]).save(tmp_path / "a.safetensors")


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    small(router=Router("x", np.int64(2), params={"scale": np.float32(2)})).save(tmp_path / "a.safetensors")  # type: ignore[arg-type, dict-item]
    assert Trace.load(tmp_path / "a.safetensors").router == Router("x", 2, params={"scale": 2.0})


def test_what_cannot_be_written_is_said_and_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TraceError, match=r"nowhere.a cannot be written: No such file"):
        small().save(tmp_path / "nowhere/a")
    file = tmp_path / "a.safetensors"
    small().save(file)
    before = file.read_bytes()
    file.chmod(0o640)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(TraceError, match="No space left"):
            small(created="later").save(file)
    assert file.read_bytes() == before and list(tmp_path.iterdir()) == [file]
    small(created="later").save(file)
    assert Trace.load(file).created == "later" and stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_batchs_texts_are_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    logits = [rng.normal(size=(2 * 4, 5)).astype(np.float32) for _ in range(3)]
    ids, mask = np.array([[1, 2, 3, 4], [0, 0, 8, 9]]), np.array([[1, 1, 1, 1], [0, 0, 1, 1]])
    plain = [
        Tokens.at("ab", [(0, 1), (1, 2)], spelled=["a", "b"]),
        Tokens.at("cd", [(0, 1), (1, 2)], spelled=["c", "d"]),
    ]
    padded = Tokens.at("cd", [None, None, (0, 1), (1, 2)], ids=ids[1], spelled=["<pad>", "<pad>", "c", "d"])
    asked: dict[str, Any] = {"k": 2, "ids": ids, "attention_mask": mask, "text": 1, "log_prob": np.arange(-4.0, 0)}
    for tokens in (plain, plain[1], padded):
        trace = Trace.from_router_logits(logits, tokens=tokens, **asked)
        trace.save(tmp_path / "a.safetensors")
        told = Trace.load(tmp_path / "a.safetensors").sequences[0]
        assert (told.count, told.text, told.tokens) == (2, "cd", ["c", "d"])
        assert (
            told.ids is not None
            and told.ids.tolist() == [8, 9]
            and told.start is not None
            and told.start.tolist() == [0, 1]
        )
        assert told.log_prob is not None and told.log_prob.tolist() == [-2, -1]
    with pytest.raises(TraceError, match="tokens of 1 texts"):
        Trace.from_router_logits(logits, tokens=plain[:1], **asked)
