"""A T5's three graphs in onnxruntime, compared with the model that they were exported from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from conftest import PHATGOOSE, contents
from gander_routing.base import load_shipped
from gander_routing.encoder_decoder import PARTS
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import T5Config, T5ForConditionalGeneration

from gander_training.bases.source import load_pair_source
from gander_training.cli import main
from gander_training.imports.phatgoose import import_phatgoose
from gander_training.pools.pool import check_pool, create_pool

BASE, BEST = PHATGOOSE / "base", PHATGOOSE / "phatgoose/best.pt"
BOUND = 2e-5


def run_graphs(folder: Path, ids: Any, written: Any) -> tuple[Any, Any]:
    """onnxruntime's logits: of ``decoder`` for the whole output, of ``decoderWithPast`` for its last three tokens."""
    sessions = {part: onnxruntime.InferenceSession(str(folder / "base" / file)) for part, file in PARTS.items()}
    mask = np.ones_like(ids)
    (hidden,) = sessions["encoder"].run(None, {"input_ids": ids, "attention_mask": mask})
    feeds = {"encoder_attention_mask": mask, "encoder_hidden_states": hidden}
    logits = sessions["decoder"].run(["logits"], {**feeds, "input_ids": written})[0]
    names = [output.name for output in sessions["decoder"].get_outputs()]
    before = dict(zip(names, sessions["decoder"].run(names, {**feeds, "input_ids": written[:, :-3]}), strict=True))
    past = {name.replace("present", "past_key_values"): value for name, value in before.items() if name != "logits"}
    step = {"input_ids": written[:, -3:], "encoder_attention_mask": mask, **past}
    return logits, sessions["decoderWithPast"].run(["logits"], step)[0]


def test_the_exported_graphs_compute_the_base(folder: Path, golden: dict[str, Tensor]) -> None:
    ids = golden["t0.encoder_ids"].long().numpy()[None]
    logits, last = run_graphs(folder, ids, golden["t0.decoder_input_ids"].long().numpy()[None])
    np.testing.assert_allclose(logits[0], golden["base.t0.logits"].numpy(), atol=BOUND)
    np.testing.assert_allclose(last[0], golden["base.t0.logits"].numpy()[-3:], atol=BOUND)


def test_each_weight_is_stored_once(folder: Path) -> None:
    model = load_pair_source(BASE)[0]
    numbers = sum(parameter.numel() for parameter in model.parameters())
    assert (folder / "base/model.data").stat().st_size < 4 * numbers + 64 * 60
    assert all((folder / "base" / file).stat().st_size < 100_000 for file in PARTS.values())


@pytest.fixture(scope="module")
def rounded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool on the same base in four bits, which was exported first and is kept by the import."""
    folder = tmp_path_factory.mktemp("rounded")
    assert main(["export-base", str(BASE), str(folder / "base")]) == 0
    before = contents(folder / "base")
    import_phatgoose(BEST, BASE, folder, chosen=[0])
    assert contents(folder / "base") == before
    return folder


def test_a_base_in_four_bits_equals_what_its_graphs_compute(
    rounded: Path, folder: Path, golden: dict[str, Tensor]
) -> None:
    assert len(check_pool(rounded)) == 2
    assert (rounded / "base/model.data").stat().st_size < 0.6 * (folder / "base/model.data").stat().st_size
    ids, written = golden["t0.encoder_ids"].long()[None], golden["t0.decoder_input_ids"].long()[None]
    with torch.no_grad():
        wanted = load_shipped(rounded)[0](input_ids=ids, decoder_input_ids=written).logits.numpy()
    np.testing.assert_allclose(run_graphs(rounded, ids.numpy(), written.numpy())[0], wanted, atol=1e-4)
    assert np.abs(wanted[0] - golden["base.t0.logits"].numpy()).max() > 1e-2


@pytest.mark.parametrize("options", (["--float"], []))
def test_a_tied_t5_with_a_plain_feed_forward_is_read_back(tmp_path: Path, options: list[str]) -> None:
    """Like the first T5s: one embedding for everything, no gate, and equal norms."""
    shutil.copytree(BASE, tmp_path / "t5")
    config = T5Config.from_pretrained(BASE, feed_forward_proj="relu", tie_word_embeddings=True)
    torch.manual_seed(0)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path / "t5")
    pool = tmp_path / "pool"
    assert main(["export-base", str(tmp_path / "t5"), str(pool / "base"), *options]) == 0
    create_pool(pool, "tied", "Tied", "", "none", "t5")
    ids, written = torch.arange(2, 20)[None], torch.arange(0, 9)[None]
    with torch.no_grad():
        wanted = load_shipped(pool)[0](input_ids=ids, decoder_input_ids=written).logits.numpy()
        plain = load_pair_source(tmp_path / "t5")[0](input_ids=ids, decoder_input_ids=written).logits.numpy()
    np.testing.assert_allclose(run_graphs(pool, ids.numpy(), written.numpy())[0], wanted, atol=1e-4)
    assert (np.abs(wanted - plain).max() < 1e-6) == bool(options)


def test_a_t5_with_calibration_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data.jsonl").write_text('{"text": "a"}\n')
    options = [str(BASE), str(tmp_path / "base"), "--calibration", str(tmp_path / "data.jsonl")]
    assert main(["export-base", *options]) == 1
    assert "--calibration is not supported" in capsys.readouterr().err and not (tmp_path / "base").exists()


def test_a_base_that_differs_by_rounding_is_kept_and_reported(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, pool = tmp_path / "finer", tmp_path / "other"
    shutil.copytree(BASE, base)
    weights = load_file(base / "model.safetensors")
    weights["shared.weight"][5] *= 1 + 2**-12
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    assert main(["export-base", str(base), str(pool / "base"), "--float"]) == 0
    import_phatgoose(BEST, base, pool, chosen=[0])
    assert "with its own embedding: the checkpoint's is rounded to bfloat16" in capsys.readouterr().out
    import_phatgoose(BEST, base, tmp_path / "new", chosen=[0])
    said = capsys.readouterr().out
    assert "differs from the base's in 1 of 300 rows" in said and "by rounding to bfloat16" in said
