"""Requests in one pass: each gets the same trace as alone, and what happens to one does not affect the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from conftest import FIXTURES, HANGS, Served, as_trace, frames, held, posting, raw, until
from gander_trace import Trace

from gander_serve.limits import Together
from gander_serve.loading import Where, load_hugging_face
from gander_serve.moe import MoeModel
from gander_serve.pool import PoolModel
from gander_serve.together import most_together

TEXTS = ["a", "def f(x): return x", "The geese fly south, and come back.", "日本語 🪿", "for i in range(10): print(i)"]
TARGETS = ["yes", "because the gate was open", "no, they do not", "a", "it counts from one to ten and says so"]
TOLERANCE = 2e-5
FRAMES = {"accept": "application/x-gander-frames"}
Body = dict[str, Any]
Start = Callable[..., Served]
Folder = Callable[[str], Path]


class Passes:
    """Records how many texts each pass of a model has."""

    def __init__(self, served: Served) -> None:
        self.rows: list[int] = []
        self.model = served.service.engine.loaded.model

    def __enter__(self) -> list[int]:
        def count(_: object, _args: object, given: dict[str, Any]) -> None:
            self.rows.append(len(next(given[name] for name in ("input_ids", "decoder_input_ids") if name in given)))

        self.handle = self.model.register_forward_pre_hook(count, with_kwargs=True)
        return self.rows

    def __exit__(self, *_: object) -> None:
        self.handle.remove()


def at_once(
    served: Served, bodies: Sequence[Body], first: Body | None = None
) -> tuple[list[httpx.Response], list[int]]:
    """Sends requests that wait while another runs; returns their answers and the number of texts in each later pass."""
    with held(served, at=1) as gate, Passes(served) as rows, ThreadPoolExecutor(len(bodies) + 1) as pool:
        running = pool.submit(served.post, "route", **(first or bodies[0]))
        assert gate.reached.wait(HANGS)
        answers = []
        for i, body in enumerate(bodies):
            answers.append(pool.submit(served.post, "route", **body))
            until(lambda i=i: len(served.service.turns.open) == i + 2)  # type: ignore[misc]
        gate.let_go.set()
        assert running.result().status_code == 200
        return [one.result() for one in answers], rows[1:]


def same(given: Trace, alone: Trace) -> None:
    for told, own in zip(given.sequences, alone.sequences, strict=True):
        assert (told.count, told.role, told.text, told.tokens) == (own.count, own.role, own.text, own.tokens)
        for column in ("ids", "start", "end", "special", "top_ids"):
            np.testing.assert_array_equal(getattr(told, column), getattr(own, column), err_msg=column)
        for column in ("log_prob", "top_log_prob"):
            if getattr(own, column) is not None:
                np.testing.assert_allclose(getattr(told, column), getattr(own, column), atol=TOLERANCE)
    assert given.sites == alone.sites and given.router == alone.router and given.expert_sets == alone.expert_sets
    for block, other in zip(given.blocks, alone.blocks, strict=True):
        np.testing.assert_array_equal(block.chosen, other.chosen)
        for column in ("score", "weight", "selection", "always_on_weight", "contribution"):
            one, two = getattr(block, column), getattr(other, column)
            assert (one is None) == (two is None), column
            if one is not None:
                np.testing.assert_allclose(one, two, atol=TOLERANCE, err_msg=column)


def held_to_alone(served: Served, bodies: Sequence[Body]) -> list[int]:
    alone = [served.trace("route", **body) for body in bodies]
    answers, rows = at_once(served, bodies)
    for answer, wanted in zip(answers, alone, strict=True):
        assert answer.status_code == 200, answer.text
        same(as_trace(served.folder, answer.content), wanted)
    return rows


@pytest.fixture(scope="session")
def mixtral(server: Start, folder_of: Folder) -> Served:
    return server(MoeModel(load_hugging_face(str(folder_of("mixtral")), Where())), chunk=64)


@pytest.mark.parametrize("name", ["mixtral", "olmoe", "qwen2-moe", "deepseek-v3", "gpt-oss"])
def test_mixtures_give_the_same_traces_as_alone(server: Start, folder_of: Folder, name: str) -> None:
    served = server(MoeModel(load_hugging_face(str(folder_of(name)), Where())), chunk=64)
    assert held_to_alone(served, [{"text": text} for text in TEXTS]) == [len(TEXTS)]


@pytest.mark.parametrize(
    "strategy",
    [{"name": "phatgoose"}, {"name": "arrow"}, {"name": "merged"}, {"name": "merged-factors"}, {"name": "single", "expert": "alpha"}],
)  # fmt: skip
def test_a_pool_gives_the_same_traces_as_alone(server: Start, strategy: Body) -> None:
    served = server(PoolModel(FIXTURES / "tiny-pool", Where()), chunk=64)
    assert held_to_alone(served, [{"text": text, "strategy": strategy} for text in TEXTS]) == [len(TEXTS)]


def test_an_encoder_decoder_gives_the_same_traces_as_alone(server: Start) -> None:
    served = server(PoolModel(FIXTURES / "tiny-t5", Where()), chunk=64)
    bodies = [{"text": text, "target": target} for text, target in zip(TEXTS, TARGETS, strict=True)]
    assert held_to_alone(served, bodies) == [len(TEXTS)]
    # Without a target, each request runs alone.
    answers, rows = at_once(served, [{"text": "a b"}, {"text": "c"}], {"text": "a", "target": "b"})
    assert {one.status_code for one in answers} == {200} and set(rows) == {1}


def test_only_requests_of_the_same_kind_share_a_pass(server: Start) -> None:
    served = server(PoolModel(FIXTURES / "tiny-pool", Where()), chunk=64)
    out = {"action": "knock-out", "expert": "alpha"}
    bodies: list[Body] = [
        {"text": TEXTS[0]},
        {"text": TEXTS[1], "strategy": {"name": "arrow"}},
        {"text": TEXTS[2], "interventions": [out]},
        {"text": TEXTS[3]},
        {"text": TEXTS[4], "strategy": {"name": "arrow"}},
        # Retrieval chooses an expert for each text.
        {"text": TEXTS[0], "strategy": {"name": "retrieval"}},
        {"text": TEXTS[1], "strategy": {"name": "retrieval"}},
    ]
    assert held_to_alone(served, bodies) == [2, 2, 1, 1, 1]


def test_requests_longer_than_a_chunk_run_alone(server: Start, folder_of: Folder) -> None:
    served = server(MoeModel(load_hugging_face(str(folder_of("mixtral")), Where())), chunk=32)
    long = "word " * 30
    count = served.trace("route", text=long).sequences[0].count
    assert count > 64
    rows = held_to_alone(served, [{"text": "a"}, {"text": long}, {"text": "b c"}])
    assert rows == [2] + [1] * -(-count // 32)


def test_a_pass_is_limited_in_requests_and_in_tokens(server: Start, folder_of: Folder) -> None:
    model = MoeModel(load_hugging_face(str(folder_of("mixtral")), Where()))
    bodies = [{"text": "a"}] * 5
    count = server(model).trace("route", text="a").sequences[0].count
    assert held_to_alone(server(model, together=Together(2)), bodies) == [2, 2, 1]
    assert held_to_alone(server(model, together=Together(None, 3 * count)), bodies) == [3, 2]
    # Padding counts, so nothing fits next to the long one.
    served = server(model, chunk=64, together=Together(None, 24))
    assert held_to_alone(served, [{"text": TEXTS[2]}, {"text": "a"}, {"text": "a"}]) == [2, 1]
    assert held_to_alone(server(model, together=Together(1)), bodies) == [1] * 5


def test_an_error_in_one_request_is_reported_only_to_its_client(mixtral: Served) -> None:
    bodies = [{"text": TEXTS[0]}, {"text": "word " * 400}, {"text": TEXTS[1]}, {"text": "b", "target": "c"}]
    answers, rows = at_once(mixtral, bodies)
    assert [one.status_code for one in answers] == [200, 413, 200, 400] and rows == [2]
    for i in (0, 2):
        same(as_trace(mixtral.folder, answers[i].content), mixtral.trace("route", **bodies[i]))


def test_if_the_pass_fails_each_request_runs_alone(mixtral: Served) -> None:
    alone = [mixtral.trace("route", text=text) for text in TEXTS]

    def fault(_: object, _args: object, given: dict[str, Any]) -> None:
        if len(given["input_ids"]) > 1:
            raise torch.OutOfMemoryError("not enough for all")

    handle = mixtral.service.engine.loaded.model.register_forward_pre_hook(fault, with_kwargs=True)
    try:
        answers, rows = at_once(mixtral, [{"text": text} for text in TEXTS])
    finally:
        handle.remove()
    assert rows == [1] * len(TEXTS)
    for answer, wanted in zip(answers, alone, strict=True):
        same(as_trace(mixtral.folder, answer.content), wanted)


def test_a_client_that_hangs_up_does_not_affect_the_others(mixtral: Served) -> None:
    alone = [mixtral.trace("route", text=text) for text in TEXTS[:2]]
    body = json.dumps({"text": TEXTS[2]}).encode()
    with held(mixtral, at=1) as gate, ThreadPoolExecutor(3) as pool:
        running = pool.submit(mixtral.post, "route", text="a")
        assert gate.reached.wait(HANGS)
        answers = [pool.submit(mixtral.post, "route", text=text) for text in TEXTS[:2]]
        # One client leaves before its turn, one during the pass that contains its request.
        early, late = raw(mixtral, posting(len(body)), body), raw(mixtral, posting(len(body)), body)
        until(lambda: len(mixtral.service.turns.open) == 5)
        early.close()
        until(lambda: len(mixtral.service.turns.open) == 4)
        with held(mixtral, at=1) as second, Passes(mixtral) as rows:
            gate.let_go.set()
            assert second.reached.wait(HANGS)
            late.close()
            until(lambda: len(mixtral.service.turns.open) == 2)
            second.let_go.set()
            traces = [as_trace(mixtral.folder, one.result().content) for one in answers]
        assert running.result().status_code == 200 and rows == [3]
    for given, wanted in zip(traces, alone, strict=True):
        same(given, wanted)
    assert not mixtral.service.turns.open and mixtral.post("route", text="a").status_code == 200


def test_frames_of_a_request_in_a_shared_pass(mixtral: Served) -> None:
    def streamed(text: str) -> bytes:
        with mixtral.client.stream("POST", "/v1/route", json={"text": text}, headers=FRAMES) as answer:
            return frames(mixtral, answer).last[1]

    with held(mixtral, at=1) as gate, Passes(mixtral) as rows, ThreadPoolExecutor(4) as pool:
        running = pool.submit(mixtral.post, "route", text="a")
        assert gate.reached.wait(HANGS)
        answers = [pool.submit(streamed, text) for text in TEXTS[:3]]
        until(lambda: len(mixtral.service.turns.open) == 4)
        gate.let_go.set()
        traces = [as_trace(mixtral.folder, one.result()) for one in answers]
        assert running.result().status_code == 200 and rows == [1, 3]
    for given, text in zip(traces, TEXTS, strict=False):
        same(given, mixtral.trace("route", text=text))


class Leaky(torch.nn.Module):
    """A layer that adds the mean over all tokens of the pass to each of them."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x + x.mean())  # type: ignore[no-any-return]


def test_a_model_that_batching_changes_runs_each_request_alone(folder_of: Folder) -> None:
    def loaded(dtype: torch.dtype | None = None) -> Any:
        return load_hugging_face(str(folder_of("olmoe")), Where(dtype=dtype))

    assert most_together(loaded(), None) == 16 and most_together(loaded(), 4) == 4
    leaky = loaded()
    leaky.model.lm_head = Leaky(leaky.model.lm_head)
    assert most_together(leaky, None) == 1 and most_together(leaky, 4) == 1
    maskless = loaded()
    whole = maskless.model.forward
    maskless.model.forward = lambda input_ids, use_cache, return_dict: whole(input_ids, use_cache=use_cache)
    assert most_together(maskless, None) == 1
    # A part of a larger model may ask its configuration for what only the whole has, as Qwen3-Omni's does with a mask.
    broken = loaded()
    broken.model.forward = lambda **_: broken.model.config.of_the_whole
    assert most_together(broken, None) == 1
    by_length = loaded()
    by_length.model.config.rope_parameters = {"rope_type": "longrope", "factor": 4}
    assert most_together(by_length, 4) == 1
    # In half precision batching changes the rounding, so it must be asked for.
    half = loaded(torch.bfloat16)
    assert most_together(half, None) == 1 and most_together(half, 4) == 4
