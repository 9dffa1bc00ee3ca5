"""The mixture that ships: its folder computes its golden traces, which transformers computes with the same weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file
from tokenizers import Tokenizer

from gander_training.mixtures.folder import OnnxFolder
from gander_training.mixtures.shipped import CASES, held_model, main

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "test/fixtures"
SHIPPED = ROOT / "models/gosling-moe"
GOLDEN = FIXTURES / "golden" / SHIPPED.name
NEWER = int(transformers.__version__.split(".")[0]) >= 5
needs_routers = pytest.mark.skipif(not NEWER, reason="transformers 5 is not installed (the extra moe)")


@needs_routers
def test_a_four_bit_folder_is_read_back_as_it_was_rounded(tmp_path: Path) -> None:
    from gander_training.mixtures.golden import moe_tensors
    from gander_training.reference.cases import TINY_TEXT
    from gander_training.texts.tokens import encode

    golden = load_file(FIXTURES / "golden/moe/mixtral-transformers-int4.safetensors")
    folder = FIXTURES / "moe/mixtral-transformers-int4"
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tensors, _ = moe_tensors(held_model(folder), encode(tokenizer, TINY_TEXT))
    assert tensors.keys() == golden.keys()
    for name, wanted in golden.items():
        assert torch.allclose(tensors[name].double(), wanted.double(), atol=2e-6, rtol=0, equal_nan=True), name


@needs_routers
@pytest.mark.parametrize(
    ("fixture", "said"),
    [("mixtral-transformers", "is not in eight bits"), ("lfm2-moe-genai-int4", "only the weights of a Mixtral")],
)
def test_another_folder_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, fixture: str, said: str) -> None:
    assert main([str(FIXTURES / "moe" / fixture), "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@needs_routers
def test_a_folder_that_computes_something_else_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(FIXTURES / "moe/mixtral-transformers-int4", folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_experts_per_tok": 1}))
    assert main([str(folder), "--out", str(tmp_path / "out")]) == 1
    assert "does not compute what the model computes" in capsys.readouterr().err


def test_the_golden_traces_use_the_tokenizer_that_ships() -> None:
    from gander_training.reference.trace import file_hash

    assert sorted(CASES) == sorted(file.stem for file in GOLDEN.glob("*.safetensors")), (
        "run gander_training.mixtures.shipped"
    )
    for name in CASES:
        with safe_open(GOLDEN / f"{name}.safetensors", "pt") as file:
            header = json.loads(file.metadata()["gander-trace"])
        assert header["source"]["tokenizer"] == file_hash(SHIPPED / "tokenizer.json")


@pytest.mark.parametrize("name", CASES)
def test_the_folder_that_ships_computes_its_golden_traces_in_one_step_and_in_two(name: str) -> None:
    golden = load_file(GOLDEN / f"{name}.safetensors")
    ids = golden["sequence.0.ids"].tolist()
    model = OnnxFolder(SHIPPED)
    once = torch.from_numpy(model.step(ids))
    model.restart()
    twice = torch.cat([torch.from_numpy(model.step(part)) for part in (ids[:9], ids[9:])])
    for logits in (once, twice):
        got = logits.log_softmax(-1)[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
        assert (got - golden["sequence.0.log_prob"][1:]).abs().max() < 1e-4
