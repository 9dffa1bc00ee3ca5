"""The card of a small trained mixture, and that its figures are those of the atlas."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import yaml
from conftest import write_lines
from gander_trace.atlas import Atlas

from gander_training.cli import main
from gander_training.mixtures.card import card
from gander_training.mixtures.mixtral import Shape
from gander_training.mixtures.train import MoeOptions, Run, finish_moe, train_moe

ROOT = Path(__file__).resolve().parents[2]
ATLAS = ROOT / "test/fixtures/atlas/typescript.gander-atlas"


def test_the_card_of_a_trained_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpora, packages = tmp_path / "corpora", {}
    (corpora / "a").mkdir(parents=True)
    file = write_lines(corpora / "a" / "train.jsonl", 1)
    lines = [json.loads(line) | {"path": f"{n}"} for n, line in enumerate(file.read_text().splitlines())]
    file.write_text("\n".join(map(json.dumps, lines)))
    packages = {line["package"]: {"licence": "MIT"} for line in lines}
    (corpora / "manifest.json").write_text(json.dumps({"all": {"packages": packages}}))
    shape = Shape(vocabulary=300, width=32, layers=2, heads=4, kv_heads=2, experts=4, intermediate=16, positions=64)
    run = Run(tmp_path / "run", corpora, shape, MoeOptions(batch=4, length=32, warm_up=2))
    train_moe(run, 3)
    finish_moe(run, 2, tmp_path / "small-moe")
    card = ["moe-card", str(tmp_path / "small-moe"), "--atlas"]
    assert main([*card, str(ATLAS)]) == 0
    text = (tmp_path / "small-moe" / "README.md").read_text()
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["name"] == "small-moe"
    assert text.endswith("## Packages\n\n- a: `made:up@0`, `made:up@1`\n")
    assert str(tmp_path) not in text and "640 (" in text  # 5 steps of 4 windows of 32 tokens
    assert main([*card, str(tmp_path)]) == 1
    assert "is not an atlas" in capsys.readouterr().err


def test_the_card_says_what_the_atlas_says() -> None:
    run = json.loads((ROOT / "models/gosling-moe/training.json").read_text())
    run["data"]["kinds"]["a"] = {"packages": {}, "documents": 1, "bytes": 0, "tokens": 0}
    atlas = Atlas.open(ATLAS)
    lines = card("small", run, atlas).splitlines()
    documents = [row for row in atlas.table("documents").to_pylist() if row["label"] == "b"]
    bits = sum(one["bitsPerByte"] * one["bytes"] for one in documents)
    # Nothing was trained on b.
    assert f"| b* | {len(documents)} | {bits / sum(one['bytes'] for one in documents):.3f} |" in lines
    layer = atlas.table("layers").to_pylist()[0]
    loads = [row["load"] for row in atlas.table("experts").to_pylist() if row["layer"] == 0]
    assert (
        f"| 0 | {layer['cv']:.2f} | {layer['cvChance']:.2f} | {layer['effective']:.1f} | 0 | "
        f"{100 * min(loads):.1f} % | {100 * max(loads):.1f} % |"
    ) in lines
    share = 100 * layer["labelInformation"] / math.log(layer["effective"])
    assert any(line.startswith(f"| 0 | {share:.1f} %; chance ") for line in lines)
    # Expert 5 of layer 0 was made for the label b, and no expert of layer 1 for any.
    assert any(line.startswith("| 0 | 1 of 6 | 5 | b | +") for line in lines)
    assert "| 1 | 0 of 6 |  | none |  |" in lines
