"""How similar experts are: the engine's reference figures are reproducible and mean what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from gander_routing.pool import Expert, Lora
from safetensors.torch import load_file

from gander_training.compatibility.engine import ROOT
from gander_training.reference.similarity import adapter_vector, gate_vector, main, similarity

POOLS = {"tiny": "test/fixtures/tiny-pool", "tiny-t5": "test/fixtures/tiny-t5", "smollm2-135m": "models/smollm2-135m"}
PATHS = ("model.layers.0.q_proj", "model.layers.1.q_proj")


@pytest.mark.parametrize("name", POOLS)
def test_golden_similarities_are_reproducible(name: str, tmp_path: Path) -> None:
    assert main(["--pool", str(ROOT / POOLS[name]), "--out", str(tmp_path / "fresh")]) == 0
    committed = load_file(ROOT / "test/fixtures/golden/similarity" / f"{name}.safetensors")
    fresh = load_file(tmp_path / "fresh")
    assert fresh.keys() == committed.keys()
    for key, planes in committed.items():
        torch.testing.assert_close(fresh[key], planes, atol=1e-6, rtol=0, equal_nan=True)


def expert(name: str, seed: int, paths: tuple[str, ...] = PATHS) -> Expert:
    rng = torch.Generator().manual_seed(seed)
    lora = {path: Lora(torch.randn(2, 6, generator=rng), torch.randn(5, 2, generator=rng), 0.5) for path in paths}
    return Expert(name, name, lora, {path: torch.randn(6, generator=rng) for path in paths})


def test_size_and_mean_make_no_difference_but_the_sign_does() -> None:
    one = expert("one", 1)
    gates = {path: 3 * gate + 7 for path, gate in one.gate.items()}
    against = {path: replace(lora, scale=-2.0) for path, lora in one.lora.items()}
    planes = [
        similarity([one, replace(one, gate=gates, lora=against)], of)[0, 0, 1] for of in (gate_vector, adapter_vector)
    ]
    # The router's epsilon hardly changes either direction.
    assert planes[0] == pytest.approx(1, abs=1e-6) and planes[1] == pytest.approx(-1, abs=1e-6)


def test_different_factors_with_the_same_product_are_the_same_adapter() -> None:
    one = expert("one", 1)
    mixed = torch.tensor([[2.0, 1.0], [0.0, 0.5]])
    other = {path: Lora(mixed @ lora.a, lora.b @ mixed.inverse(), lora.scale) for path, lora in one.lora.items()}
    assert similarity([one, replace(one, lora=other)], adapter_vector)[0, 0, 1] == pytest.approx(1, abs=1e-6)


def test_two_experts_without_a_common_module_have_no_similarity() -> None:
    planes = similarity([expert("one", 1), expert("two", 2, PATHS[1:])], gate_vector)
    assert planes.shape == (3, 2, 2)
    assert planes[1, 0, 1].isnan() and planes[1, 1, 1].isnan()
    assert planes[0, 0, 1] == planes[2, 0, 1]
