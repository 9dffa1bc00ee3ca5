"""The tiny encoder-decoder pool for the engine's tests is what its command writes."""

from __future__ import annotations

from pathlib import Path

from conftest import PHATGOOSE

from gander_training.tiny.t5 import write_pool

# Graphs and the embedding depend on the exporters' versions; what is imported does not.
EXPERTS = "experts"


def files(folder: Path) -> dict[str, bytes]:
    """The contents of each file in a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_fixture_is_what_its_command_writes(tmp_path: Path) -> None:
    write_pool(PHATGOOSE, tmp_path / "tiny-t5")
    kept = PHATGOOSE.parent / "tiny-t5"
    assert files(tmp_path / "tiny-t5" / EXPERTS) == files(kept / EXPERTS)
    assert (tmp_path / "tiny-t5/pool.json").read_text() == (kept / "pool.json").read_text()
    assert {path.name for path in (kept / "base").iterdir()} == {
        path.name for path in (tmp_path / "tiny-t5/base").iterdir()
    }
