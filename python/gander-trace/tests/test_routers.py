"""Choices and weights that follow from logits, as the models compute them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gander_trace import Tokens, Trace, TraceError

LOGITS = np.array([[1.0, 3.0, 2.0, 3.0], [0.0, 0.0, 5.0, 1.0]])


def config(**given: Any) -> SimpleNamespace:
    return SimpleNamespace(**{"model_type": "mixtral", "num_experts_per_tok": 2, "num_hidden_layers": 1, **given})


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_the_largest_are_chosen_the_lower_index_first() -> None:
    trace = Trace.from_router_logits([LOGITS], config=config())
    assert trace.blocks[0].chosen.tolist() == [[[1, 3], [2, 3]]]


def test_weights_are_shares_of_the_chosen_or_of_all() -> None:
    mixtral = Trace.from_router_logits([LOGITS], config=config()).blocks[0].weight
    np.testing.assert_allclose(mixtral, softmax(np.array([[[3.0, 3.0], [5.0, 1.0]]])), rtol=1e-6)
    olmoe = Trace.from_router_logits([LOGITS], config=config(model_type="olmoe", norm_topk_prob=False)).blocks[0].weight
    np.testing.assert_allclose(
        olmoe, np.take_along_axis(softmax(LOGITS), np.array([[1, 3], [2, 3]]), -1)[None], rtol=1e-6
    )


def test_without_a_configuration_k_tells_the_choice_and_no_weights() -> None:
    trace = Trace.from_router_logits([LOGITS], k=1)
    assert trace.blocks[0].chosen.tolist() == [[[1], [2]]]
    assert trace.blocks[0].weight is None
    assert (trace.router.name, trace.router.k, trace.router.scoring) == ("unknown", 1, None)


def test_probabilities_in_the_place_of_logits_are_taken_for_what_they_are() -> None:
    plain = Trace.from_router_logits([LOGITS], config=config()).blocks[0]
    block = Trace.from_router_logits([softmax(LOGITS)], config=config()).blocks[0]
    np.testing.assert_array_equal(block.chosen, plain.chosen)
    np.testing.assert_allclose(block.weight, plain.weight, rtol=1e-5)
    assert block.score is not None
    np.testing.assert_allclose(softmax(block.score[0]), softmax(LOGITS), rtol=1e-5)


def test_weights_in_the_place_of_logits_are_weights_and_no_scores() -> None:
    # The form that transformers 4.57 returns for gpt-oss.
    given = np.array([[0.0, 0.25, 0.75, 0.0], [1.0, 0.0, 0.0, 0.0]])
    block = Trace.from_router_logits([given], config=config(model_type="gpt_oss")).blocks[0]
    assert block.chosen.tolist() == [[[2, 1], [0, -1]]]
    assert block.weight is not None and block.weight.tolist() == [[[0.75, 0.25], [1.0, 0.0]]]
    assert block.score is None


def test_layers_without_experts_are_left_out() -> None:
    qwen = config(
        model_type="qwen2_moe", norm_topk_prob=False, num_hidden_layers=4, mlp_only_layers=[1], decoder_sparse_step=1
    )
    trace = Trace.from_router_logits([LOGITS] * 3, config=qwen)
    assert [site.layer for site in trace.sites] == [0, 2, 3]


def test_one_text_of_a_batch_without_its_padding() -> None:
    ids = np.array([[5, 6, 0], [7, 8, 9]])
    mask = np.array([[1, 1, 0], [1, 1, 1]])
    flat = np.arange(6 * 4, dtype=float).reshape(6, 4)
    for layers in ([flat], [flat.reshape(2, 3, 4)]):
        trace = Trace.from_router_logits(layers, k=1, ids=ids, attention_mask=mask, text=0)
        assert trace.sequences[0].ids is not None and trace.sequences[0].ids.tolist() == [5, 6]
        assert trace.blocks[0].score is not None
        np.testing.assert_array_equal(trace.blocks[0].score, flat[None, :2])
        second = Trace.from_router_logits(layers, k=1, ids=ids, attention_mask=mask, text=1)
        np.testing.assert_array_equal(second.blocks[0].score, flat[None, 3:])


class Tensor:
    """The part of torch's tensor that is used."""

    def __init__(self, values: np.ndarray, dtype: str = "torch.bfloat16") -> None:
        self.values, self.dtype = values, dtype

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def float(self) -> Tensor:
        return Tensor(self.values.astype(np.float32), "torch.float32")

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        assert self.dtype != "torch.bfloat16", "numpy has no bfloat16"
        return self.values


def test_tensors_of_torch_are_taken_in_bfloat16_too() -> None:
    trace = Trace.from_router_logits([Tensor(LOGITS)], config=config())
    assert trace.blocks[0].chosen.tolist() == [[[1, 3], [2, 3]]]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "give config or k"),
        ({"k": 5}, "5 of 4 experts"),
        ({"config": config(model_type="deepseek_v3")}, "from_choices"),
        ({"k": 1, "tokens": Tokens(ids=np.arange(9))}, "9 tokens"),
        ({"k": 1, "layers": [1, 2]}, "numbers of 2"),
    ],
)
def test_what_does_not_follow_is_asked_for(given: dict[str, Any], why: str) -> None:
    with pytest.raises(TraceError, match=why):
        Trace.from_router_logits([LOGITS], **given)


def test_logits_that_are_no_numbers() -> None:
    with pytest.raises(TraceError, match="NaN or infinite"):
        Trace.from_router_logits([LOGITS * np.nan], k=1)
