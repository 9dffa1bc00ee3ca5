"""General adapters are subtracted from a pool's experts, and a pool may lack gates."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from conftest import POOL, base

from gander_routing.errors import UserError
from gander_routing.forward import routed_forward
from gander_routing.pool import read_adapter, read_pool
from gander_routing.strategies import Strategy

MODULE = "model.layers.1.mlp.up_proj"


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """The tiny pool's experts of equal ranks, two of which are general adapters, too."""
    folder = tmp_path / "pool"
    shutil.copytree(POOL, folder)
    shutil.rmtree(folder / "experts/beta-10")
    for name, expert in (("one", "Zeta"), ("two", "alpha")):
        shutil.copytree(folder / "experts" / expert, folder / "general" / name)
    manifest = json.loads((folder / "pool.json").read_text())
    (folder / "pool.json").write_text(json.dumps({**manifest, "general": "general"}))
    return folder


def test_the_means_of_a_and_of_b_are_subtracted(pool: Path) -> None:
    own, one, two = (read_adapter(pool / part)[MODULE] for part in ("experts/beta-2", "general/one", "general/two"))
    rest = next(expert for expert in read_pool(pool).experts if expert.id == "beta-2").lora[MODULE]
    assert torch.equal(rest.a, own.a - (one.a + two.a) / 2)
    assert torch.equal(rest.b, own.b - (one.b + two.b) / 2)
    assert rest.scale == own.scale


def test_an_expert_unlike_the_general_adapters_is_refused(pool: Path) -> None:
    shutil.copytree(POOL / "experts/beta-10", pool / "experts/beta-10")
    with pytest.raises(UserError, match="beta-10: .* is not adapted like the pool's general adapters"):
        read_pool(pool)


def test_a_folder_without_general_adapters_is_refused(pool: Path) -> None:
    for entry in (pool / "general").iterdir():
        shutil.rmtree(entry)
    with pytest.raises(UserError, match="contains no general adapter"):
        read_pool(pool)


def test_without_gates_the_affinities_beside_fixed_weights_are_arrows(pool: Path) -> None:
    for entry in (pool / "experts").iterdir():
        (entry / "gate.safetensors").unlink()
    experts = read_pool(pool).experts
    model, ids = base(), torch.arange(5)
    # The first module's input does not depend on the weights.
    merged, arrow = (routed_forward(model, experts, ids, Strategy(name)).affinity[0] for name in ("merged", "arrow"))
    assert torch.equal(merged, arrow)
