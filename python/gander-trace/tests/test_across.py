"""Exchange with the extension: each reads what the other wrote (see also test/unit/import)."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gander_trace import Source, Tokens, Trace

FIXTURES = Path(__file__).resolve().parents[3] / "test/fixtures"
IMPORTS = FIXTURES / "imports"
EXPECTED = json.loads((IMPORTS / "expected.json").read_text(encoding="utf-8"))


def test_what_the_extension_writes_is_read() -> None:
    trace = Trace.load(IMPORTS / "typescript.gander.safetensors")
    block, sequence = trace.blocks[0], trace.sequences[0]
    np.testing.assert_array_equal(block.chosen, EXPECTED["chosen"])
    assert block.weight is not None and sequence.ids is not None
    np.testing.assert_allclose(block.weight, EXPECTED["weights"], atol=2e-6)
    assert sequence.ids.tolist() == EXPECTED["ids"]
    assert sequence.tokens == EXPECTED["spelled"]
    assert trace.source == Source("llama.cpp", "tiny-mixtral", versions={"gander": "0.1.0"})
    assert [site.path for site in trace.sites] == ["model.layers.0.mlp.gate", "model.layers.1.mlp.gate"]


def test_what_the_extension_reads_is_what_is_written_today(tmp_path: Path) -> None:
    config = SimpleNamespace(**json.loads((IMPORTS / "config.json").read_text()))
    trace = Trace.from_router_logits(
        np.load(IMPORTS / "router_logits.npy"),
        config=config,
        tokens=Tokens(ids=np.array(EXPECTED["ids"]), spelled=EXPECTED["spelled"]),
    )
    committed = Trace.load(IMPORTS / "python.gander.safetensors")
    trace.save(tmp_path / "a")
    written = Trace.load(tmp_path / "a")
    assert (written.router, written.sites, written.expert_sets) == (
        committed.router,
        committed.sites,
        committed.expert_sets,
    )
    for name in ("chosen", "weight", "score"):
        np.testing.assert_array_equal(getattr(written.blocks[0], name), getattr(committed.blocks[0], name))


@pytest.mark.parametrize("file", sorted((FIXTURES / "golden/tiny").glob("*.safetensors")), ids=lambda file: file.stem)
def test_recorded_traces_of_version_1_are_read_and_written_again(file: Path, tmp_path: Path) -> None:
    trace = Trace.load(file)
    assert trace.sequences[0].text is not None
    assert {site.kind for site in trace.sites} <= {"q", "k", "v", "o", "gate", "up", "down"}
    trace.save(tmp_path / "a")
    again = Trace.load(tmp_path / "a")
    for old, new in zip(trace, again, strict=True):
        assert old.site == new.site
        np.testing.assert_array_equal(old.chosen, new.chosen)
        np.testing.assert_array_equal(old.weight, new.weight)
