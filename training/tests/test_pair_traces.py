"""Traces of an encoder-decoder, compared with what the authors' code computed for the same two texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from gander_routing.errors import UserError
from gander_routing.forward_pair import routed_pair
from gander_routing.pool import read_pool
from gander_routing.strategies import Strategy
from gander_routing.whatif import Intervention, Scope
from safetensors import safe_open
from torch import Tensor

from gander_training.bases.source import load_base
from gander_training.cli import main
from gander_training.reference.pairs import TARGET, TEXT

TINY = Path(__file__).resolve().parents[2] / "test/fixtures/tiny-pool"
BOUND = 2e-5


def traced(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["gander-trace"]), {name: file.get_tensor(name) for name in file.keys()}


def test_a_trace_of_two_texts_equals_the_fixtures(folder: Path, golden: dict[str, Tensor], tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    assert main(["reference", "--pool", str(folder), "--text", TEXT, "--target", TARGET, "--out", str(out)]) == 0
    header, tensors = traced(out)
    assert header["version"] == 2 and header["router"]["params"] == {"epsilon": 1e-6}
    assert [(s["role"], s["count"]) for s in header["sequences"]] == [("input", 16), ("output", 17)]
    assert torch.equal(tensors["sequence.0.ids"], golden["t0.encoder_ids"])
    assert torch.equal(tensors["sequence.1.ids"], golden["t0.decoder_input_ids"])
    logits = golden["phatgoose_top2.t0.logits"]
    torch.testing.assert_close(tensors["last_logits"], logits[-1], atol=BOUND, rtol=0)
    said = logits.log_softmax(-1)[:-1].gather(1, golden["t0.labels"].long()[:-1, None])[:, 0]
    torch.testing.assert_close(tensors["sequence.1.log_prob"][1:], said, atol=BOUND, rtol=0)
    for index, block in enumerate(header["blocks"]):
        for row, site in enumerate(header["sites"][block["from"] : block["to"]]):
            key = f"phatgoose_top2.t0.{site['path']}"
            torch.testing.assert_close(
                tensors[f"block.{index}.score"][row], golden[f"{key}.scores"], atol=BOUND, rtol=0
            )
            assert torch.equal(tensors[f"block.{index}.chosen"][row].int(), golden[f"{key}.indices"].int())
            assert header["sequences"][site["sequence"]]["count"] == len(golden[f"{key}.scores"])
    start, end = tensors["sequence.1.start"], tensors["sequence.1.end"]
    assert start[0] == end[0] == -1 and TARGET[start[1] : end[1]].strip() in TARGET


def test_generated_output_equals_the_authors(folder: Path, golden: dict[str, Tensor], tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    assert main(["reference", "--pool", str(folder), "--text", TEXT, "--k", "1", "--out", str(out)]) == 0
    assert traced(out)[1]["sequence.1.ids"].tolist() == golden["phatgoose_top1.t0.generated_ids"].tolist()


def test_golden_traces_cover_every_strategy_and_what_ifs(folder: Path, tmp_path: Path) -> None:
    assert main(["reference", "--pool", str(folder), "--out", str(tmp_path / "golden")]) == 0
    names = {path.stem for path in (tmp_path / "golden").iterdir()}
    assert {"merged", "merged-factors", "arrow-k3", "base", "single-00-P3Agnews", "phatgoose-k2-generated"} <= names
    header, tensors = traced(tmp_path / "golden/phatgoose-k2-scoped.safetensors")
    for index, block in enumerate(header["blocks"]):
        chosen = tensors[f"block.{index}.chosen"]
        for row, site in enumerate(header["sites"][block["from"] : block["to"]]):
            if site["kind"] == "cross-k":
                assert not (chosen[row] == 0).any()
            if site["sequence"] == 1:
                assert chosen[row, 3].tolist() == [4, -1]


def test_a_tilt_in_one_stack_does_not_change_the_others_affinities(folder: Path, golden: dict[str, Tensor]) -> None:
    from gander_routing.base import load_shipped

    pool, model = read_pool(folder), load_shipped(folder)[0]
    ids = golden["t0.encoder_ids"].long(), golden["t0.decoder_input_ids"].long()
    out = [Intervention("knock-out", pool.experts[1].id, Scope(stack="decoder"))]
    plain = routed_pair(model, pool.experts, *ids, Strategy("phatgoose", 2))
    changed = routed_pair(model, pool.experts, *ids, Strategy("phatgoose", 2), interventions=out)
    for module, before, after in zip(plain.modules, plain.seen, changed.seen, strict=True):
        if module.stack == "encoder":
            assert all(torch.equal(before[name], after[name]) for name in before)
        else:
            assert not (after["chosen"] == 1).any()
    assert not torch.equal(plain.logits, changed.logits)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--text", "a", "--target", "b", "--out", "x"], "--target needs --text and a pool whose base is"),
        (["--pool", "{folder}", "--time"], "--time does not support encoder-decoders"),
        (["--pool", "{folder}", "--target", "b", "--out", "x"], "--target needs --text"),
    ],
)
def test_options_that_exclude_each_other_are_reported(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    given = [option.replace("{folder}", str(folder)) for option in options]
    assert main(["reference", "--pool", str(TINY), *given]) == 1
    assert told in capsys.readouterr().err


def test_commands_that_train_ask_for_pairs(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data.jsonl").write_text('{"text": "a"}\n')
    options = ["--base", str(folder), "--data", str(tmp_path / "data.jsonl"), "--out", str(tmp_path / "x")]
    assert main(["expert", *options]) == 1
    assert 'data.jsonl:1: expected one JSON object with an "input"' in capsys.readouterr().err


def test_commands_for_one_text_refuse_an_encoder_decoder(folder: Path) -> None:
    with pytest.raises(UserError, match="its base is an encoder-decoder"):
        load_base(folder)
