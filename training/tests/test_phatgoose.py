"""The authors' checkpoint, imported as a pool, computes what their released code did (test/fixtures/phatgoose-t5)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import PHATGOOSE, PHATGOOSE_NAMES
from gander_routing.base import load_shipped
from gander_routing.forward_pair import routed_generation, routed_pair
from gander_routing.pool import Expert, Pool, modules_of, read_pool
from gander_routing.router import Router
from gander_routing.strategies import Strategy, merged_factors
from safetensors.torch import load_file
from torch import Tensor, nn

BOUND = 2e-5
EPSILON = 1e-6
ARROW_TEMPERATURE = 10  # in the released code, which also divides by the square root of d_in
NEAR = 1e-6  # float32 rounding between libraries; some of arrow's scores are closer together


@pytest.fixture(scope="module")
def variants() -> dict[str, Tensor]:
    return load_file(PHATGOOSE / "variants.safetensors")


@pytest.fixture(scope="module")
def pool(folder: Path) -> Pool:
    return read_pool(folder)


@pytest.fixture(scope="module")
def model(folder: Path) -> nn.Module:
    torch.set_num_threads(1)
    return load_shipped(folder)[0]


def with_vectors(
    pool: Pool, variants: dict[str, Tensor], name: str, change: Callable[[Tensor], Tensor]
) -> list[Expert]:
    """The pool's experts with the vectors by which a variant of the fixture routes."""
    experts = []
    for index, expert in enumerate(pool.experts):
        vectors = {
            path: change(variants[f"{name}.{path}._addons.router.expert_embeddings__{index}"]) for path in expert.lora
        }
        own = Expert(expert.id, expert.name, expert.lora, expert.gate, vectors if name == "avgact" else {})
        if name == "arrow":
            vars(own)["directions"] = vectors
        experts.append(own)
    return experts


def setting(
    pool: Pool, golden: dict[str, Tensor], variants: dict[str, Tensor], name: str, text: int
) -> tuple[list[Expert], Strategy]:
    """The experts and the strategy for one of the fixture's variants and one of its texts."""
    plain = {
        "phatgoose_top2": Strategy("phatgoose", 2, epsilon=EPSILON),
        "phatgoose_top1": Strategy("phatgoose", 1, epsilon=EPSILON),
        "single": Strategy("single", expert="02-P3Cosmosqa"),
        "base": Strategy("base"),
        "merged_outer": Strategy("merged"),
        "merged_factors": Strategy("merged-factors"),
        "retrieval": Strategy("retrieval", expert=pool.experts[nearest(golden, variants, text)].id),
    }
    if name == "avgact_top2":
        strategy = Strategy("average-activation", 2, epsilon=EPSILON)
        return with_vectors(pool, variants, "avgact", lambda vector: vector), strategy
    if name == "arrow_top2":
        scaled = with_vectors(pool, variants, "arrow", lambda v: v / (ARROW_TEMPERATURE * math.sqrt(len(v))))
        return scaled, Strategy("arrow", 2, epsilon=EPSILON)
    return pool.experts, plain[name]


def nearest(golden: dict[str, Tensor], variants: dict[str, Tensor], text: int) -> int:
    """The expert with the example most similar to a text's query, by cosine."""
    query = golden[f"retrieval.t{text}.query"].flatten()
    best = []
    for index in range(len(PHATGOOSE_NAMES)):
        examples = variants[f"retrieval.encoder._addons.router.expert_embeddings__{index}"].reshape(-1, len(query))
        best.append(float((nn.functional.normalize(examples, dim=1) @ query).max()))
    return best.index(max(best))


VARIANTS = ("phatgoose_top2", "phatgoose_top1", "avgact_top2", "arrow_top2", "single", "base")
VARIANTS += ("merged_outer", "merged_factors", "retrieval")


@pytest.mark.parametrize("name", VARIANTS)
def test_each_variant_equals_what_the_released_code_computed(
    pool: Pool, model: nn.Module, golden: dict[str, Tensor], variants: dict[str, Tensor], name: str
) -> None:
    for text in range(3):
        experts, strategy = setting(pool, golden, variants, name, text)
        ids = golden[f"t{text}.encoder_ids"].long(), golden[f"t{text}.decoder_input_ids"].long()
        result = routed_pair(model, experts, *ids, strategy)
        torch.testing.assert_close(result.logits, golden[f"{name}.t{text}.logits"], atol=BOUND, rtol=0)
        prefix = f"{name}.t{text}."
        traced = [key for key in golden if key.startswith(prefix) and key.endswith(".scores")]
        if name == "phatgoose_top2" or (text == 0 and strategy.k and name.endswith(("top1", "top2"))):
            assert len(traced) == len(result.modules) == 36
        for module, seen in zip(result.modules, result.seen, strict=True):
            if traced:
                expect_same_choice(seen, golden, f"{prefix}{module.path}", NEAR if name == "arrow_top2" else 0)


def expect_same_choice(seen: dict[str, Tensor], golden: dict[str, Tensor], prefix: str, near: float) -> None:
    """Assert close scores and weights and equal indices; scores closer than ``near`` may swap."""
    scores, indices = golden[f"{prefix}.scores"], golden[f"{prefix}.indices"].long()
    torch.testing.assert_close(seen["affinity"], scores, atol=BOUND, rtol=0)
    torch.testing.assert_close(seen["weight"], golden[f"{prefix}.weights"], atol=BOUND, rtol=0)
    chosen = seen["chosen"].long()
    gaps = (scores.gather(1, chosen) - scores.gather(1, indices)).abs()
    assert ((chosen == indices) | (gaps < near)).all()


@pytest.mark.parametrize("name", ("phatgoose_top2", "single", "base", "phatgoose_top1", "merged_outer"))
def test_the_generated_output_is_the_same(
    pool: Pool, model: nn.Module, golden: dict[str, Tensor], variants: dict[str, Tensor], name: str
) -> None:
    for text in range(3):
        experts, strategy = setting(pool, golden, variants, name, text)
        written = routed_generation(model, experts, golden[f"t{text}.encoder_ids"].long(), strategy)
        assert written == golden[f"{name}.t{text}.generated_ids"].tolist()


def test_each_module_gives_what_the_authors_gives_for_the_same_input(
    pool: Pool, model: nn.Module, golden: dict[str, Tensor]
) -> None:
    router = Router(model, pool.experts, Strategy("phatgoose", 2, epsilon=EPSILON), torch.zeros(1, 1, 5), None)
    for index, module in enumerate(router.modules):
        prefix = f"phatgoose_top2.t0.{module.path}"
        u, layer = golden[f"{prefix}.in"], model.get_submodule(module.path)
        with torch.no_grad():
            out = router.hook(index, layer, u[None], layer(u[None]))[0]
        torch.testing.assert_close(out, golden[f"{prefix}.out"], atol=BOUND, rtol=0)


def test_retrieval_in_the_fixture_is_by_the_nearest_example(
    golden: dict[str, Tensor], variants: dict[str, Tensor]
) -> None:
    for text in range(3):
        assert golden[f"retrieval.t{text}.onehot"].flatten().tolist().index(1) == nearest(golden, variants, text)


def test_factors_are_averaged_with_their_rounding(pool: Pool, variants: dict[str, Tensor]) -> None:
    for path, lora in merged_factors(pool.experts).lora.items():
        key = f"merged_factors.{path}._addons.expert_lora"
        assert torch.equal(lora.a, variants[f"{key}.layer1__0"].float().T)
        assert torch.equal(lora.b, variants[f"{key}.layer2__0"].float().T)


def test_arrow_directions_are_the_authors_except_for_their_rounding(pool: Pool, variants: dict[str, Tensor]) -> None:
    for index, expert in enumerate(pool.experts):
        for path, own in expert.directions.items():
            theirs = variants[f"arrow.{path}._addons.router.expert_embeddings__{index}"]
            assert abs(float(own @ theirs)) > 0.999


def test_the_modules_and_their_sequences(pool: Pool) -> None:
    from safetensors import safe_open

    modules = modules_of(pool.experts)
    with safe_open(PHATGOOSE / "golden.safetensors", "pt") as file:
        assert [module.path for module in modules] == json.loads(file.metadata()["modules"])
    assert [module.sequence for module in modules[14:25]] == [1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1]
    kinds = ["q", "k", "v", "o", "cross-q", "cross-k", "cross-v", "cross-o", "gate", "up", "down"]
    assert [module.kind for module in modules[14:25]] == kinds
    assert {(module.stack, module.sequence) for module in modules[:14]} == {("encoder", 0)}
