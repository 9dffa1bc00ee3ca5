"""The figures in the mixture's card, on routings with known answers, and the card of a small trained mixture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from conftest import write_lines
from transformers import AutoModelForCausalLM

from gander_training.cli import main
from gander_training.mixtures.mixtral import Mixtral, Shape, save
from gander_training.mixtures.report import choices, count, load_of, share_told, shuffle, strongest, token_class, told
from gander_training.mixtures.train import MoeOptions, Run, finish_moe, train_moe

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("\n    ", "whitespace"),
        (" ", "whitespace"),
        ("7", "digit"),
        (" {", "punctuation"),
        ("):\n", "punctuation"),
        (" return", "word after a space"),
        ("Node", "word or piece of one"),
        ("_id", "word or piece of one"),
        (" é", "not ASCII"),
        ("\ufffd", "not ASCII"),
    ],
)
def test_token_class(text: str, kind: str) -> None:
    assert token_class(text) == kind


def test_load_of_even_and_collapsed_layers() -> None:
    even, collapsed = load_of(np.full(4, 0.25)), load_of(np.array([0.5, 0.5, 0.0, 0.0]))
    assert (even.cv, even.dead) == (0, 0) and even.effective == pytest.approx(4)
    assert collapsed.cv == pytest.approx(1) and collapsed.effective == pytest.approx(2) and collapsed.dead == 2


def test_count_equals_a_loop() -> None:
    chosen, labels = torch.randint(0, 3, (4, 6, 2)), torch.randint(0, 5, (4, 6))
    wanted = np.zeros((4, 3, 5))
    for document in range(4):
        for token in range(6):
            for choice in range(2):
                wanted[document, chosen[document, token, choice], labels[document, token]] += 1
    assert (count(chosen, labels[..., None], 3, 5) == wanted).all()


def test_labels_fully_predict_routing_by_label_and_not_random_routing() -> None:
    labels = torch.randint(0, 4, (40, 100))
    by_label, by_chance = labels[..., None], torch.randint(0, 4, (40, 100, 1))
    generator = torch.Generator().manual_seed(0)
    for chosen, low, high in ((by_label, 0.99, 1.01), (by_chance, 0.0, 0.01)):
        dealt = shuffle(labels, generator)
        each = [count(chosen, part[..., None], 4, 4) for part in (labels, dealt)]
        result = told(*each, 100, RNG)
        assert low <= result.low <= result.share + 1e-9 and result.share <= result.high + 1e-9 <= high
        assert result.chance < 0.01
    assert share_told(np.array([[2.0, 0], [0, 2]])) == pytest.approx(1.0)


def test_labels_of_documents_are_shuffled_among_documents() -> None:
    labels = torch.arange(10)[:, None].expand(10, 7)
    dealt = shuffle(labels, torch.Generator().manual_seed(1))
    assert (dealt == dealt[:, :1]).all() and not torch.equal(dealt, labels)
    assert sorted(dealt[:, 0].tolist()) == list(range(10))


def test_the_strongest_pair_is_found_on_one_half_and_measured_on_the_other() -> None:
    counts = np.full((20, 4, 4), 10.0)
    counts[::2, 1, 0] = 30  # "a" is half of expert 1's text, but only in this half
    counts[1::2, 1, 0] = 15
    found = strongest(2, counts, list("abcd"), 50, RNG)
    assert (found.layer, found.expert, found.label) == (2, 1, "a")
    assert found.share == pytest.approx(15 / 45) and found.overall == pytest.approx(45 / 165)
    assert found.low == pytest.approx(found.share) == pytest.approx(found.high)


def test_choices_are_the_largest_router_logits(tmp_path: Path) -> None:
    shape = Shape(vocabulary=300, width=32, layers=2, heads=4, kv_heads=2, experts=4, intermediate=16, positions=64)
    model = Mixtral(shape, 3)
    save(dict(model.named_parameters()), shape, tmp_path)
    ids = torch.randint(0, 300, (5, 12))
    chosen = choices(AutoModelForCausalLM.from_pretrained(tmp_path).eval(), ids)
    with torch.no_grad():
        for layer, logits in enumerate(model(ids)[1]):
            assert torch.equal(
                chosen[:, :, layer].sort(-1).values, logits.topk(2).indices.view(5, 12, 2).sort(-1).values
            )


def test_the_card_of_a_trained_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpora, packages = tmp_path / "corpora", {}
    (corpora / "made").mkdir(parents=True)
    (corpora / "heldout").mkdir()
    write_lines(corpora / "made" / "test.jsonl", 2)
    write_lines(corpora / "heldout" / "strange.jsonl", 3)
    file = write_lines(corpora / "made" / "train.jsonl", 1)
    lines = [json.loads(line) | {"path": f"{n}"} for n, line in enumerate(file.read_text().splitlines())]
    file.write_text("\n".join(map(json.dumps, lines)))
    packages = {line["package"]: {"licence": "MIT"} for line in lines}
    (corpora / "manifest.json").write_text(json.dumps({"all": {"packages": packages}}))
    shape = Shape(vocabulary=300, width=32, layers=2, heads=4, kv_heads=2, experts=4, intermediate=16, positions=64)
    run = Run(tmp_path / "run", corpora, shape, MoeOptions(batch=4, length=32, warm_up=2))
    train_moe(run, 3)
    finish_moe(run, 2, tmp_path / "small-moe")
    assert (
        main(["moe-card", str(tmp_path / "small-moe"), "--data", str(corpora), "--windows", "6", "--length", "64"]) == 0
    )
    text = (tmp_path / "small-moe" / "README.md").read_text()
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["name"] == "small-moe" and front["datasets"] == ["made:up@0", "made:up@1"]
    assert str(tmp_path) not in text and "640 (" in text  # 5 steps of 4 windows of 32 tokens
    measured = json.loads((tmp_path / "small-moe" / "measured.json").read_text())
    assert measured["scores"].keys() == {"made", "strange*"} and measured["documents"] == 12
    assert measured["tokens"] == 12 * 63
    assert all(len(layers) == 2 for layers in measured["told"].values())
    assert 0 < measured["scores"]["made"]["loss"] < 6  # log 300 is 5.7
    assert main(["moe-card", str(tmp_path / "small-moe"), "--data", str(tmp_path)]) == 1
    assert "holds no */test.jsonl" in capsys.readouterr().err
