"""The routed model, checked against independent computations: PEFT, merged weights, the formulas written out again."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import POOL, base
from peft import PeftModel
from torch import Tensor, nn

from gander_routing.errors import UserError
from gander_routing.forward import RoutedResult, routed_forward
from gander_routing.pool import Expert, Lora, Module, Pool, modules_of
from gander_routing.strategies import Strategy, affinities, choose
from gander_routing.whatif import Intervention, Scope

FIRST = "model.layers.0.self_attn.q_proj"
IDS = ["Zeta", "alpha", "beta-10", "beta-2"]


def logits_of(model: nn.Module, ids: Tensor) -> Tensor:
    with torch.no_grad():
        return model(input_ids=ids[None]).logits[0]


def log_probs_of(logits: Tensor, ids: Tensor) -> Tensor:
    return torch.tensor([logits[t].log_softmax(-1)[token] for t, token in enumerate(ids[1:].tolist())])


def expect_logits(result: RoutedResult, logits: Tensor, ids: Tensor) -> None:
    """Assert that a run's log-probabilities and last logits agree with these logits [T, V]."""
    torch.testing.assert_close(result.last_logits, logits[-1], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(result.log_prob[1:], log_probs_of(logits, ids), atol=1e-5, rtol=1e-5)
    assert math.isnan(result.log_prob[0])


def with_gates(pool: Pool, gate: Any) -> list[Expert]:
    """The pool's experts with other gates: ``gate(index, vector)``."""
    return [
        replace(expert, gate={path: gate(index, vector) for path, vector in expert.gate.items()})
        for index, expert in enumerate(pool.experts)
    ]


@pytest.mark.parametrize("expert", IDS)
def test_single_is_what_peft_computes_with_that_adapter(pool: Pool, model: nn.Module, ids: Tensor, expert: str) -> None:
    plain = PeftModel.from_pretrained(base(), POOL / "experts" / expert)
    result = routed_forward(model, pool.experts, ids, Strategy("single", expert=expert))
    expect_logits(result, logits_of(plain, ids), ids)
    assert (result.chosen == IDS.index(expert)).all() and (result.weight == 1).all()


def test_multitask_is_what_peft_computes_with_that_adapter(pool: Pool, model: nn.Module, ids: Tensor) -> None:
    plain = PeftModel.from_pretrained(base(), POOL / "multitask")
    result = routed_forward(model, pool.experts, ids, Strategy("multitask"), multitask=pool.multitask)
    expect_logits(result, logits_of(plain, ids), ids)
    assert (result.chosen == -1).all() and not result.weight.any()


def test_merged_adds_the_mean_of_the_products_to_the_base(pool: Pool, model: nn.Module, ids: Tensor) -> None:
    plain = base()
    with torch.no_grad():
        for path in (module.path for module in modules_of(pool.experts)):
            products = [expert.lora[path].scale * expert.lora[path].b @ expert.lora[path].a for expert in pool.experts]
            plain.get_submodule(path).weight += torch.stack(products).mean(0)
    result = routed_forward(model, pool.experts, ids, Strategy("merged"))
    expect_logits(result, logits_of(plain, ids), ids)
    assert (result.weight == 0.25).all() and result.chosen[0, 0].tolist() == [0, 1, 2, 3]


def test_strategy_base_computes_the_base_and_still_shows_affinities(pool: Pool, model: nn.Module, ids: Tensor) -> None:
    result = routed_forward(model, pool.experts, ids, Strategy("base"))
    expect_logits(result, logits_of(base(), ids), ids)
    assert (result.chosen == -1).all() and not result.weight.any() and not result.contribution.any()
    assert result.affinity.shape == (14, len(ids), 4) and result.affinity.isfinite().all()


def test_hooks_are_removed_afterwards(pool: Pool, model: nn.Module, ids: Tensor) -> None:
    before = logits_of(model, ids)
    routed_forward(model, pool.experts, ids, Strategy("phatgoose"))
    torch.testing.assert_close(logits_of(model, ids), before, atol=0, rtol=0)


def first_input(model: nn.Module, ids: Tensor) -> np.ndarray:
    """The first module's input [T, d_in]: the embeddings, RMS-normalised."""
    weights = {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}
    x = weights["model.embed_tokens.weight"][ids.numpy()]
    rms = np.sqrt((x**2).mean(-1, keepdims=True) + model.config.rms_norm_eps)
    return weights["model.layers.0.input_layernorm.weight"] * x / rms


def normalised(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


@pytest.mark.parametrize("name", ["phatgoose", "average-activation"])
def test_affinity_choice_weight_and_contribution_of_the_first_module(
    pool: Pool, model: nn.Module, ids: Tensor, name: Any
) -> None:
    result = routed_forward(model, pool.experts, ids, Strategy(name, 2))
    assert result.modules[0] == Module(FIRST, 0, "q")
    u, w = first_input(model, ids), model.get_submodule(FIRST).weight.detach().double().numpy()
    stored = [expert.gate if name == "phatgoose" else expert.activation for expert in pool.experts]
    vectors = np.stack([vectors[FIRST].double().numpy() for vectors in stored])
    affinity = normalised(u) @ normalised(vectors).T / math.sqrt(32)
    np.testing.assert_allclose(result.affinity[0], affinity, atol=1e-5)
    for t, scores in enumerate(affinity):
        a, b = sorted(range(4), key=lambda e: -scores[e])[:2]
        assert result.chosen[0, t].tolist() == [a, b]
        first = 1 / (1 + math.exp(scores[b] - scores[a]))
        np.testing.assert_allclose(result.weight[0, t], [first, 1 - first], atol=1e-5)
        for slot, (expert, weight) in enumerate(((a, first), (b, 1 - first))):
            lora = pool.experts[expert].lora[FIRST]
            moved = weight * lora.scale * lora.b.double().numpy() @ lora.a.double().numpy() @ u[t]
            ratio = np.linalg.norm(moved) / np.linalg.norm(w @ u[t])
            np.testing.assert_allclose(result.contribution[0, t, slot], ratio, rtol=1e-4)


def test_arrow_scores_by_the_top_right_singular_vector(pool: Pool, model: nn.Module, ids: Tensor) -> None:
    result = routed_forward(model, pool.experts, ids, Strategy("arrow", 3))
    assert result.chosen.shape == (14, len(ids), 3)
    u = first_input(model, ids)
    for index, expert in enumerate(pool.experts):
        lora = expert.lora[FIRST]
        top = np.linalg.svd((lora.b @ lora.a).double().numpy())[2][0]
        np.testing.assert_allclose(result.affinity[0, :, index], abs(u @ top), atol=1e-4)
    torch.testing.assert_close(result.weight.sum(-1), torch.ones(14, len(ids)))


def test_choosing_all_experts_with_equal_gates_equals_merged(pool: Pool, model: nn.Module, ids: Tensor) -> None:
    equal = with_gates(pool, lambda _, vector: torch.ones_like(vector).cumsum(0))
    routed = routed_forward(model, equal, ids, Strategy("phatgoose", 4))
    merged = routed_forward(model, pool.experts, ids, Strategy("merged"))
    torch.testing.assert_close(routed.last_logits, merged.last_logits, atol=1e-5, rtol=1e-5)


def test_layer_norm_removes_a_gates_size_and_mean() -> None:
    rng = torch.Generator().manual_seed(0)
    u, gates = torch.randn(5, 16, generator=rng), 10 * torch.randn(3, 16, generator=rng)
    moved = 50 * gates + torch.tensor([[0.0], [1.0], [2.0]])
    torch.testing.assert_close(affinities(u, moved, "phatgoose"), affinities(u, gates, "phatgoose"))


def test_arrow_direction_of_a_rank_one_adapter() -> None:
    lora = Lora(torch.tensor([[0.0, 3.0, 4.0]]), torch.tensor([[1.0], [2.0]]), 1.0)
    torch.testing.assert_close(lora.direction().abs(), torch.tensor([0.0, 0.6, 0.8]))


def test_a_zero_gate_scores_zero_and_ties_go_to_the_lower_index(pool: Pool, model: nn.Module, ids: Tensor) -> None:
    zero = with_gates(pool, lambda _, vector: torch.zeros_like(vector))
    result = routed_forward(model, zero, ids, Strategy("phatgoose", 2))
    assert not result.affinity.any()
    assert (result.chosen == torch.tensor([0, 1])).all() and (result.weight == 0.5).all()


def test_many_ties_at_once() -> None:
    scores = torch.tensor([[1.0, 2.0, 2.0, 2.0], [0.0, -1.0, 0.0, 0.0], [-math.inf, 5.0, -math.inf, -math.inf]])
    chosen, weight = choose(scores, 2)
    assert chosen.tolist() == [[1, 2], [0, 2], [1, -1]]
    assert weight.tolist() == [[0.5, 0.5], [0.5, 0.5], [1, 0]]


def test_a_knocked_out_expert_is_never_chosen(pool: Pool, model: nn.Module, ids: Tensor) -> None:
    for strategy in (Strategy("phatgoose", 3), Strategy("merged"), Strategy("single", expert="alpha")):
        result = routed_forward(model, pool.experts, ids, strategy, interventions=[Intervention("knock-out", "alpha")])
        assert (result.chosen != 1).all()
        assert result.affinity.isfinite().all()
    bias = torch.tensor([0, -math.inf, 0, 0])[None, None]
    by_bias = routed_forward(model, pool.experts, ids, Strategy("phatgoose", 3), bias=bias)
    by_name = routed_forward(
        model, pool.experts, ids, Strategy("phatgoose", 3), interventions=[Intervention("knock-out", "alpha")]
    )
    torch.testing.assert_close(by_bias.last_logits, by_name.last_logits, atol=0, rtol=0)


def test_knocking_out_all_experts_leaves_the_base(pool: Pool, model: nn.Module, ids: Tensor) -> None:
    out = [Intervention("knock-out", expert) for expert in IDS]
    result = routed_forward(model, pool.experts, ids, Strategy("phatgoose", 2), interventions=out)
    assert (result.chosen == -1).all() and not result.weight.any()
    expect_logits(result, logits_of(base(), ids), ids)


def test_a_large_tilt_and_a_force_equal_single(pool: Pool, model: nn.Module, ids: Tensor) -> None:
    single = routed_forward(model, pool.experts, ids, Strategy("single", expert="beta-2"))
    tilt, force = Intervention("tilt", "beta-2", amount=1e4), Intervention("force", "beta-2")
    for item in (tilt, force):
        result = routed_forward(model, pool.experts, ids, Strategy("phatgoose", 2), interventions=[item])
        torch.testing.assert_close(result.last_logits, single.last_logits, atol=1e-5, rtol=1e-5)
        assert (result.chosen[..., 0] == 3).all()


@pytest.mark.parametrize("tokens", [{"token": 4}, {"tokens": ((4, 5), (900, 901))}])
def test_an_intervention_applies_only_in_its_scope(
    pool: Pool, model: nn.Module, ids: Tensor, tokens: dict[str, Any]
) -> None:
    scope = Scope(layer=1, kind="down", **tokens)
    item = Intervention("force", "Zeta", scope)
    plain = routed_forward(model, pool.experts, ids, Strategy("phatgoose", 2))
    result = routed_forward(model, pool.experts, ids, Strategy("phatgoose", 2), interventions=[item])
    assert result.chosen[13, 4].tolist() == [0, -1] and result.weight[13, 4].tolist() == [1, 0]
    result.chosen[13, 4] = plain.chosen[13, 4]
    # Nothing else can change, because this is the last module.
    torch.testing.assert_close(result.chosen, plain.chosen, atol=0, rtol=0)
    torch.testing.assert_close(result.affinity, plain.affinity, atol=0, rtol=0)


def test_a_later_intervention_wins(pool: Pool, model: nn.Module, ids: Tensor) -> None:
    out, back = Intervention("knock-out", "alpha"), Intervention("tilt", "alpha", amount=0.0)
    force = Intervention("force", "alpha")
    plain = routed_forward(model, pool.experts, ids, Strategy("phatgoose", 2))
    for sequence, wanted in (([out, back], plain.chosen), ([force, back], plain.chosen)):
        result = routed_forward(model, pool.experts, ids, Strategy("phatgoose", 2), interventions=sequence)
        torch.testing.assert_close(result.chosen, wanted, atol=0, rtol=0)
    forced = routed_forward(model, pool.experts, ids, Strategy("phatgoose", 2), interventions=[force, out])
    assert (forced.chosen != 1).all()
    again = routed_forward(model, pool.experts, ids, Strategy("phatgoose", 2), interventions=[out, force])
    assert (again.chosen[..., 0] == 1).all() and (again.weight[..., 0] == 1).all()


def test_an_expert_without_a_module_is_not_chosen_there(pool: Pool, model: nn.Module, ids: Tensor) -> None:
    first = pool.experts[0]
    lame = replace(
        first,
        lora={path: lora for path, lora in first.lora.items() if path != FIRST},
        gate={path: gate for path, gate in first.gate.items() if path != FIRST},
    )
    experts = [lame, *pool.experts[1:]]
    result = routed_forward(model, experts, ids, Strategy("phatgoose", 4))
    assert result.affinity[0, :, 0].isnan().all() and result.affinity[1:].isfinite().all()
    assert (result.chosen[0] != 0).all() and (result.chosen[0, :, 3] == -1).all() and (result.chosen[1] == 0).any()
    merged = routed_forward(model, experts, ids, Strategy("merged"))
    assert (merged.chosen[0] != 0).all() and (merged.weight[0, :, :3] == 0.25).all()


def test_a_k_larger_than_the_number_of_experts(pool: Pool, model: nn.Module, ids: Tensor) -> None:
    assert routed_forward(model, pool.experts, ids, Strategy("phatgoose", 9)).chosen.shape[-1] == 4


def test_fixed_weights_replace_the_router_where_given(pool: Pool, model: nn.Module, ids: Tensor) -> None:
    fixed = torch.full((1, len(ids), 4), math.nan)
    fixed[0, 2] = torch.tensor([0.0, 0.5, 2.0, 0.25])
    result = routed_forward(model, pool.experts, ids, Strategy("phatgoose", 2), fixed=fixed)
    assert result.chosen[:, 2].tolist() == [[2, 1, 3]] * 14
    assert result.weight[:, 2].tolist() == [[2, 0.5, 0.25]] * 14
    assert (result.chosen[:, 3, 2] == -1).all() and (result.chosen[:, 3, :2] >= 0).all()


def test_one_token(pool: Pool, model: nn.Module) -> None:
    result = routed_forward(model, pool.experts, torch.tensor([0]), Strategy("phatgoose", 2))
    assert result.log_prob.isnan().all() and result.affinity.shape == (14, 1, 4)


def test_modules_are_ordered_by_layer_then_kind() -> None:
    lora = Lora(torch.zeros(1, 1), torch.zeros(1, 1), 1.0)
    paths = ["h.10.q_proj", "h.2.fc", "h.2.down_proj", "h.2.v_proj", "lm_head", "h.2.q_proj"]
    modules = modules_of([Expert("x", "x", dict.fromkeys(paths, lora))])
    assert [(m.layer, m.kind) for m in modules] == [
        (-1, "lm_head"), (2, "q"), (2, "v"), (2, "down"), (2, "fc"), (10, "q"),
    ]  # fmt: skip


def test_an_unknown_expert_is_refused_by_name(pool: Pool, model: nn.Module, ids: Tensor) -> None:
    with pytest.raises(UserError, match="'nobody', only Zeta, alpha, beta-10, beta-2"):
        routed_forward(model, pool.experts, ids, Strategy("single", expert="nobody"))


def test_merged_factors_adds_the_product_of_the_means_to_the_base(pool: Pool, model: nn.Module, ids: Tensor) -> None:
    plain = base()
    for path in (module.path for module in modules_of(pool.experts)):
        parts = [expert.lora[path] for expert in pool.experts]
        rank = max(len(part.a) for part in parts)
        a = sum(nn.functional.pad(part.a, (0, 0, 0, rank - len(part.a))) for part in parts) / 4
        b = sum(nn.functional.pad(part.b, (0, rank - len(part.a))) for part in parts) / 4
        with torch.no_grad():
            plain.get_submodule(path).weight += sum(part.scale for part in parts) / 4 * b @ a
    result = routed_forward(model, pool.experts, ids, Strategy("merged-factors"))
    expect_logits(result, logits_of(plain, ids), ids)
    assert (result.chosen == -1).all()


def test_epsilon_makes_weights_smaller_by_its_share_of_the_chosen(pool: Pool, model: nn.Module, ids: Tensor) -> None:
    plain = routed_forward(model, pool.experts, ids, Strategy("phatgoose", 2))
    result = routed_forward(model, pool.experts, ids, Strategy("phatgoose", 2, epsilon=0.25))
    p = plain.affinity[0].softmax(-1).gather(1, plain.chosen[0].long())
    torch.testing.assert_close(result.weight[0], p / (p.sum(-1, keepdim=True) + 0.25))
