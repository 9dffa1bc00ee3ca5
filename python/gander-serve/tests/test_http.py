"""The protocol under bad conditions: nothing hangs, nothing is lost, every client gets one clear error."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from conftest import FIXTURES, HANGS, TOKEN, Served, as_trace, frames, held, posting, raw, status_of, until

from gander_serve.loading import Where, load_hugging_face
from gander_serve.moe import MoeModel

TEXT = "def route(tokens): return [expert for expert in experts]"
FRAMES = {"accept": "application/x-gander-frames"}


@pytest.fixture(scope="session")
def slow(server: Callable[..., Served], folder_of: Callable[[str], Path]) -> Served:
    """A server that checks its client after every token, with room for three requests."""
    return server(MoeModel(load_hugging_face(str(folder_of("mixtral")), Where())), chunk=1, waiting=2, patience=0.5)


@pytest.mark.parametrize(
    "given", [None, "", "Bearer", "Bearer wrong", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer \xff"]
)
def test_requests_without_the_token_are_refused(slow: Served, given: str | None) -> None:
    headers = {} if given is None else {"authorization": given.encode("latin-1")}
    for method, path in (("GET", "/v1/info"), ("POST", "/v1/route"), ("GET", "/nowhere"), ("POST", "/health")):
        answer = httpx.request(method, slow.address + path, headers=headers)
        if path != "/health":
            assert answer.status_code == 401 and answer.json()["error"]["code"] == "unauthorized"
    assert httpx.get(slow.address + "/health", timeout=HANGS).json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/scores", "/v1/route/"])
def test_unknown_addresses_and_methods_are_not_found(slow: Served, path: str) -> None:
    answer = slow.client.get(path)
    assert answer.status_code == 404 and path in answer.json()["error"]["message"]
    assert slow.client.get("/v1/route").json()["error"]["code"] == "not-found"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"text": NaN}', b"7"])
def test_bodies_that_are_not_requests_are_refused(slow: Served, content: bytes) -> None:
    answer = slow.client.post("/v1/route", content=content)
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "request-invalid"


def test_an_endless_request_is_cut_off(slow: Served) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b'{"text": "' + b"a" * 65536

    # The answer comes while the client still sends; some clients then report a broken pipe.
    with contextlib.suppress(httpx.TransportError):
        answer = slow.client.post("/v1/route", content=endless())
        assert answer.status_code == 413 and answer.json()["error"]["code"] == "text-too-long"
    assert slow.post("route", text=TEXT).status_code == 200


def test_an_incomplete_request_does_not_delay_others(slow: Served) -> None:
    waiting = raw(slow, posting(1000), b'{"text": "hal')
    gone = raw(slow, posting(1000), b'{"text": "hal')
    gone.close()
    headless = raw(slow, "POST /v1/route HT", b"")
    assert slow.post("route", text=TEXT).status_code == 200
    assert status_of(waiting) == 408
    headless.close()
    assert slow.post("route", text=TEXT).status_code == 200


HALF = "POST /v1/route HT"


@pytest.mark.parametrize("before", ["", "GET /health HTTP/1.1\nHost: x\n\n"])
@pytest.mark.parametrize("head", ["", HALF])
def test_an_incomplete_head_is_cut_off_with_a_typed_error(slow: Served, before: str, head: str) -> None:
    opened = raw(slow, before, b"")
    answer = b"" if before else b"}"
    while not answer.endswith(b"}"):
        answer += opened.recv(65536)
    opened.sendall(head.encode())
    told = opened.makefile("rb").read()
    if before and not head:  # an idle connection may be closed without an answer
        assert told == b""
    else:
        assert b" 408 " in told and b'"request-slow"' in told


def test_invalid_http_is_refused_with_a_typed_error(slow: Served) -> None:
    for head in (
        "\x00\n\n",
        "GET\n\n",
        "GET / HTTP/1.1\n\n",
        f"GET / HTTP/1.1\nHost: x\nContent-Length: {'9' * 400}\n\n",
    ):
        told = raw(slow, head, b"").makefile("rb").read()
        assert b" 400 " in told and b'"request-invalid"' in told, head


def test_strangers_do_not_lock_out_clients_with_the_token(
    server: Callable[..., Served], folder_of: Callable[[str], Path]
) -> None:
    """Of 600 connections that send half a head and stay, the oldest are closed; known clients keep their places."""
    served = server(MoeModel(load_hugging_face(str(folder_of("mixtral")), Where())), patience=2 * HANGS)
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(1) as pool, held(served, at=1) as gate:
        running = pool.submit(served.post, "route", text=TEXT)
        assert gate.reached.wait(HANGS)
        strangers = []
        for i in range(600):
            strangers.append(stack.enter_context(raw(served, HALF, b"")))
            if i % 100 == 99:
                answer = httpx.get(f"{served.address}/v1/info", headers=served.client.headers, timeout=HANGS)
                assert answer.status_code == 200
        # A stranger that kept its place would wait here until the timeout.
        strangers[0].settimeout(HANGS)
        with contextlib.suppress(ConnectionResetError):
            assert strangers[0].recv(1) == b""
        strangers[-1].settimeout(0.01)
        with pytest.raises(TimeoutError):
            strangers[-1].recv(1)
        gate.let_go.set()
        assert running.result().status_code == 200


def test_strangers_from_one_address_do_not_replace_those_from_another(
    server: Callable[..., Served], folder_of: Callable[[str], Path]
) -> None:
    served = server(MoeModel(load_hugging_face(str(folder_of("mixtral")), Where())), patience=2 * HANGS)
    host, port = served.address.removeprefix("http://").split(":")
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(socket.create_connection((host, int(port)), 30, ("127.0.0.2", 0)))
        other.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n")
        for _ in range(600):
            stack.enter_context(raw(served, HALF, b""))
        assert served.client.get("/health").status_code == 200
        other.sendall(b"\r\n")
        assert status_of(other) == 200


def test_frames_contain_progress_and_partial_traces(slow: Served) -> None:
    with slow.client.stream("POST", "/v1/route", json={"text": TEXT}, headers=FRAMES) as answer:
        assert answer.headers["content-type"] == FRAMES["accept"]
        told = frames(slow, answer)
    whole = slow.trace("route", text=TEXT)
    count = whole.sequences[0].count
    assert [one["done"] for one in told.progress] == list(range(1, count + 1))
    assert {one["total"] for one in told.progress} == {count}
    assert told.last[0] == 3 and told.partial and told.partial[0].sequences[0].count < count
    for trace in (*told.partial, as_trace(slow.folder, told.last[1])):
        done, sequence = trace.sequences[0].count, trace.sequences[0]
        assert sequence.text == TEXT and sequence.log_prob is not None
        np.testing.assert_array_equal(sequence.log_prob, whole.sequences[0].log_prob[:done])  # type: ignore[index]
        np.testing.assert_array_equal(trace.blocks[0].chosen, whole.blocks[0].chosen[:, :done])


def test_an_error_during_a_run_is_the_last_frame(slow: Served) -> None:
    with slow.client.stream("POST", "/v1/route", json={"text": "word " * 400}, headers=FRAMES) as answer:
        kind, body = frames(slow, answer).last
    assert kind == 4 and json.loads(body)["error"]["code"] == "text-too-long"


def test_an_attribution_reports_progress(slow: Served) -> None:
    with slow.client.stream("POST", "/v1/attribute", json={"text": "a b", "most": 2}, headers=FRAMES) as answer:
        told = frames(slow, answer)
    assert told.progress == [{"done": 1, "total": 2}, {"done": 2, "total": 2}]
    assert told.last[0] == 5 and json.loads(told.last[1]) == slow.post("attribute", text="a b", most=2).json()


@pytest.mark.parametrize("accept", ["*/*", FRAMES["accept"]])
def test_a_client_that_hangs_up_stops_its_run(slow: Served, accept: str) -> None:
    body = json.dumps({"text": TEXT}).encode()
    with held(slow, at=3) as gate:
        opened = raw(slow, posting(len(body), accept), body)
        assert gate.reached.wait(HANGS)
        opened.close()
        until(lambda: not slow.service.turns.open)
        gate.let_go.set()
        assert slow.post("route", text="a b").status_code == 200
        after = slow.trace("route", text="a b").sequences[0].count * 2
        # The step that was running was the last one.
        assert gate.steps == 3 + after


def test_requests_beyond_the_queue_are_told_when_to_ask_again(slow: Served) -> None:
    with held(slow, at=1) as gate, ThreadPoolExecutor(3) as pool:
        served = [pool.submit(slow.post, "route", text=TEXT) for _ in range(3)]
        assert gate.reached.wait(HANGS)
        until(lambda: len(slow.service.turns.open) == 3)
        answer = slow.post("route", text=TEXT)
        assert answer.status_code == 429 and answer.json()["error"]["code"] == "busy"
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert slow.client.get("/v1/info").status_code == 200
        gate.let_go.set()
        assert [one.result().status_code for one in served] == [200, 200, 200]
    assert slow.post("route", text=TEXT).status_code == 200


def test_a_waiting_client_that_hangs_up_frees_its_place(slow: Served) -> None:
    body = json.dumps({"text": TEXT}).encode()
    with held(slow, at=1) as gate, ThreadPoolExecutor(2) as pool:
        first = pool.submit(slow.post, "route", text=TEXT)
        assert gate.reached.wait(HANGS)
        waiting = [raw(slow, posting(len(body)), body) for _ in range(2)]
        until(lambda: len(slow.service.turns.open) == 3)
        for opened in waiting:
            opened.close()
        until(lambda: len(slow.service.turns.open) == 1)
        second = pool.submit(slow.post, "route", text="a b")
        until(lambda: len(slow.service.turns.open) == 2)
        gate.let_go.set()
        assert (first.result().status_code, second.result().status_code) == (200, 200)
        assert gate.steps == sum(slow.trace("route", text=text).sequences[0].count for text in (TEXT, "a b"))


def test_a_hundred_at_once(server: Callable[..., Served], folder_of: Callable[[str], Path]) -> None:
    model = MoeModel(load_hugging_face(str(folder_of("mixtral")), Where()))
    few, many = server(model, waiting=8), server(model, waiting=100)
    one = as_trace(few.folder, few.post("route", text=TEXT).content).blocks[0].chosen
    with ThreadPoolExecutor(100) as pool:
        for served in (few, many):
            with httpx.Client(
                base_url=served.address,
                headers=served.client.headers,
                timeout=HANGS,
                limits=httpx.Limits(max_connections=100),
            ) as client:
                answers = list(pool.map(lambda i, c=client: c.post("/v1/route", json={"text": TEXT}), range(100)))  # type: ignore[misc]
            states = [answer.status_code for answer in answers]
            assert set(states) <= {200, 429} and states.count(200) >= (9 if served is few else 100)
            for answer in answers:
                if answer.status_code == 200:
                    np.testing.assert_array_equal(as_trace(served.folder, answer.content).blocks[0].chosen, one)
                else:
                    assert int(answer.headers["retry-after"]) >= 1
    assert not few.service.turns.open and not many.service.turns.open


def test_a_fault_of_the_server_is_reported_and_the_next_request_is_served(slow: Served) -> None:
    def fault(*_: object) -> None:
        raise RuntimeError("a secret of this machine")

    handle = slow.service.engine.loaded.model.register_forward_pre_hook(fault)
    try:
        status, code, message = slow.refused("route", text=TEXT)
    finally:
        handle.remove()
    assert (status, code) == (500, "internal") and "secret" not in message
    golden = as_trace(slow.folder, (FIXTURES / "golden/moe/mixtral.safetensors").read_bytes())
    trace = slow.trace("route", text=golden.sequences[0].text)
    np.testing.assert_array_equal(trace.blocks[0].chosen, golden.blocks[0].chosen)
