"""The tiny pool's experts as a library in mttl's layout are imported as the same experts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gander_routing.pool import Expert, read_expert, read_pool

from gander_training.cli import main

TINY = Path(__file__).resolve().parents[2] / "test/fixtures/tiny-pool"
NAMES = ("Zeta", "beta-2")
BIN = "phatgoosetransformconfig-0123.bin"


@pytest.fixture
def experts() -> dict[str, Expert]:
    return {name: read_expert(TINY / "experts" / name) for name in NAMES}


@pytest.fixture
def library(tmp_path: Path, experts: dict[str, Expert]) -> Path:
    """What ExpertLibrary writes with torch.save: state dictionaries, ExpertInfo.asdict() and auxiliary data."""
    folder = tmp_path / "library"
    folder.mkdir()
    for name, expert in experts.items():
        weights, gates = {}, {}
        for path, lora in expert.lora.items():
            weights |= {f"{path}.lora_a": lora.a.T.contiguous(), f"{path}.lora_b": lora.b.T.contiguous()}
            gates[f"{path}.selector.{name}.v"] = expert.gate[path].numpy()[None]
        rank = next(iter(expert.lora.values())).a.shape[0]
        scale = next(iter(expert.lora.values())).scale
        config = {"class_name": "mttl.models.modifiers.lora.LoRAConfig", "tie_params": None}
        meta = {"expert_name": name, "expert_config": {**config, "lora_rank": rank, "lora_alpha": scale * rank}}
        torch.save(weights, folder / f"{name}.ckpt")
        torch.save(meta, folder / f"{name}.meta")
        torch.save({"data": gates, "config": {"n_steps": 100}}, folder / f"{name}.{BIN}")
    return folder


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    shutil.copytree(TINY, tmp_path / "pool")
    shutil.rmtree(tmp_path / "pool/experts")
    (tmp_path / "pool/experts").mkdir()
    return tmp_path / "pool"


def test_imported_experts_equal_the_original_ones(library: Path, pool: Path, experts: dict[str, Expert]) -> None:
    assert main(["import-mttl", str(library), str(pool)]) == 0
    read = read_pool(pool).experts
    assert [expert.id for expert in read] == list(NAMES)
    for expert in read:
        for path, lora in experts[expert.id].lora.items():
            assert torch.equal(expert.lora[path].a, lora.a) and torch.equal(expert.lora[path].b, lora.b)
            assert expert.lora[path].scale == pytest.approx(lora.scale)
            assert torch.equal(expert.gate[path], experts[expert.id].gate[path])


def edit(path: Path, change: Callable[[Any], object]) -> None:
    held = torch.load(path, weights_only=False)
    change(held)
    torch.save(held, path)


BAD: list[tuple[Callable[[Path], object], str]] = [
    (lambda f: (f / "Zeta.meta").unlink(), "Zeta.meta: no such file"),
    (lambda f: edit(f / "Zeta.meta", lambda m: m.pop("expert_config")), "has no lora_alpha"),
    (lambda f: edit(f / "Zeta.meta", lambda m: m["expert_config"].update(tie_params="q")), "tie_params"),
    (lambda f: edit(f / "Zeta.meta", lambda m: m["expert_config"].update(lora_rank=9)), "lora_rank is 9"),
    (lambda f: edit(f / "Zeta.ckpt", lambda w: w.update({"x.lora_a": torch.ones(1, 1, 2, 4)})), "not a matrix of plain LoRA"),
    (lambda f: (f / f"Zeta.{BIN}").unlink(), "expected one file Zeta.phatgoosetransformconfig-*.bin, found 0"),
    (lambda f: edit(f / f"Zeta.{BIN}", lambda b: b["data"].update({"x.selector.y.v": np.ones((1, 2), np.float32)})), "not a gate of Zeta"),
    (lambda f: torch.save({"data": Path("x")}, f / f"Zeta.{BIN}"), "not a file of plain data"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "told"), BAD)
def test_a_bad_library_is_reported_in_one_line(
    library: Path, pool: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], object], told: str
) -> None:
    spoil(library)
    assert main(["import-mttl", str(library), str(pool), "--experts", "Zeta"]) == 1
    assert told in capsys.readouterr().err.splitlines()[-1] and not list((pool / "experts").iterdir())
