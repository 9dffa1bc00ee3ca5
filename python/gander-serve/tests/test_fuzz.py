"""Corrupted requests on sockets: every answer is one from PROTOCOL.md; an incomplete request may get none.

``GANDER_SERVE_CASES=2000 pytest tests/test_fuzz.py`` runs more; each case depends only on its number.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import FIXTURES, HANGS, TOKEN, Served, until

from gander_serve.errors import STATUS
from gander_serve.loading import Where, load_hugging_face
from gander_serve.moe import MoeModel
from gander_serve.pool import PoolModel

CASES = int(os.environ.get("GANDER_SERVE_CASES", "90"))

DIGITS = "9" * 400
# As JSON text, because some numbers are more than a parser must accept.
VALUES = [
    *("null", "true", "false", "0", "-1", "1", "2.5", "-0.0", "1e308", "-1e308", "1e400", "1e-320", "1e-300", "5e-324"),
    *("NaN", "Infinity", DIGITS, f"-{DIGITS}", f"0.{DIGITS}", f"{DIGITS}e-399", f"1{DIGITS * 12}", "9007199254740993"),
    *('""', '"\\u0000"', '"\\ud800"', '"\U0001fabf"', f'"{"a" * 10_000}"', '"0.1"', '"alpha"', '"base"', '"</s>"', '"\\r\\n"'),
    *("[]", "{}", "[[]]", "[[0, 1]]", f"[[0, {DIGITS}]]", "[[1, 0]]", "[null]", '[{"action": "force"}]', "[" * 500 + "]" * 500),
]  # fmt: skip


def body_of(draw: random.Random) -> dict[str, Any]:
    """A plausible request."""
    experts = ["0.1", "1.3", "alpha", "Zeta", "00-P3Agnews"]
    what_if = {
        "action": draw.choice(["knock-out", "force", "tilt"]), "expert": draw.choice(experts), "amount": 1.5,
        "scope": draw.choice([{}, {"layer": 0}, {"token": 1}, {"tokens": [[0, 2], [3, 9]]}, {"sequence": 1}]),
    }  # fmt: skip
    if what_if["action"] != "tilt":
        del what_if["amount"]
    body: dict[str, Any] = {"text": draw.choice(["a b", "def f(x):", "e\u0301 \U0001fabf", " "])}
    for name, value in {
        "target": "because", "strategy": {"name": "phatgoose", "k": 2}, "interventions": [what_if], "maxTokens": 2,
        "temperature": 0.7, "topP": 0.9, "seed": 3, "layer": 1, "most": 2,
    }.items():  # fmt: skip
        if draw.random() < 0.3:
            body[name] = value
    return body


def places(value: Any) -> list[tuple[Any, Any]]:
    """All positions in a JSON value, as pairs of container and key."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, one in inside for place in [(value, key), *places(one)]]


def spoilt_json(draw: random.Random) -> bytes:
    body = body_of(draw)
    given = {f"@{i}@": draw.choice(VALUES) for i in range(draw.choice([0, 1, 1, 1, 2]))}
    for mark in given:
        container, key = draw.choice(places(body))
        if isinstance(container, dict) and draw.random() < 0.15:
            container[draw.choice(["", "z", "\ud800", "text", "amount", "tokens", "a" * 3000])] = mark
        else:
            container[key] = mark
    text = json.dumps(body)
    for mark, value in given.items():
        text = text.replace(f'"{mark}"', value)
    return text.encode()


def spoilt_bytes(draw: random.Random, given: bytes) -> bytes:
    sent = bytearray(given)
    for _ in range(draw.choice([1, 1, 2, 5])):
        at = draw.randrange(len(sent)) if sent else 0
        way = draw.choice(["flip", "cut", "double", "insert", "drop"])
        if way == "flip" and sent:
            sent[at] ^= 1 << draw.randrange(8)
        elif way == "cut":
            del sent[at:]
        elif way == "double":
            sent[at:at] = sent[at : at + draw.randrange(1, 200)]
        elif way == "insert":
            sent[at:at] = draw.choice(
                [b"\0", b"\r\n", b"\r\n\r\n", b"\xff\xfe", b" " * 70_000, b"%00", b"Content-Length: 7\r\n"]
            )
        else:
            del sent[at : at + draw.randrange(1, 40)]
    return bytes(sent)


def request_of(draw: random.Random) -> bytes:
    body = spoilt_json(draw)
    method = draw.choice(["POST"] * 8 + ["GET", "HEAD", "OPTIONS", "BREW"])
    path = "/v1/" + draw.choice(["route", "generate", "generate", "attribute", "score"])
    if draw.random() < 0.1:
        path = draw.choice(["/health", "/v1/info", "/v1/../v1/route", "/v1/%ed%a0%80", "//", "/v1/route?" + "q" * 5000])
    length = draw.choice([str(len(body))] * 12 + ["0", "1", str(len(body) + 9), DIGITS, "-1", "abc", "1e3"])
    accept = draw.choice(["*/*", "application/x-gander-frames", "\xff"])
    token = draw.choice([TOKEN] * 12 + ["", "wrong", "\xff", TOKEN * 500])
    lines = [
        f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", f"Accept: {accept}", "Connection: close",
        draw.choice([f"Content-Length: {length}"] * 9 + ["Transfer-Encoding: chunked", "Expect: 100-continue", "X: y"]),
        *draw.choice([[]] * 9 + [["Upgrade: websocket", "Connection: upgrade"], [f"X-{i}: {i}" for i in range(300)]]),
    ]  # fmt: skip
    sent = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
    return spoilt_bytes(draw, sent) if draw.random() < 0.4 else sent


def answer_to(served: Served, sent: bytes, stays: bool) -> bytes:
    """All bytes until the server hangs up. Raises ``TimeoutError`` if it never does."""
    host, port = served.address.removeprefix("http://").split(":")
    told = b""
    with socket.create_connection((host, int(port)), timeout=HANGS) as opened:
        with contextlib.suppress(ConnectionError):
            opened.sendall(sent)
            if not stays:
                with contextlib.suppress(OSError):  # the server may have hung up already
                    opened.shutdown(socket.SHUT_WR)
            while part := opened.recv(65536):
                told += part
    return told


def problem_of(told: bytes) -> str | None:
    """What is wrong with an answer, if anything; an empty answer is fine for an incomplete request."""
    answers = re.split(rb"(?=HTTP/1\.1 \d{3} )", told)[1:] if told else []
    if told and not answers:
        return f"not HTTP: {told[:200]!r}"
    return next((problem for one in answers if (problem := _problem_of(one)) is not None), None)


def _problem_of(answer: bytes) -> str | None:
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split(maxsplit=2)[1])
    if status == 100 or not body:  # HEAD has no body
        return None
    if status == 200:  # frames may end with an error
        return "internal" if b'"internal"' in body else None
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError):
        return f"untyped {status}: {body[:200]!r}"
    if (
        error["code"] == "internal"
        or STATUS.get(error["code"]) != status
        or not error["message"]
        or not error["remedy"]
    ):
        return f"{status}: {error}"
    return None


@pytest.fixture(scope="module")
def all_served(server: Callable[..., Served], folder_of: Callable[[str], Path]) -> list[Served]:
    """A mixture, a pool, and a pool on a T5."""
    models = [
        MoeModel(load_hugging_face(str(folder_of("mixtral")), Where())),
        PoolModel(FIXTURES / "tiny-pool", Where()),
        PoolModel(FIXTURES / "tiny-t5", Where()),
    ]
    return [server(model, patience=1) for model in models]


def test_every_corrupted_request_gets_a_typed_answer(
    all_served: list[Served], caplog: pytest.LogCaptureFixture
) -> None:
    problems = []
    for case in range(CASES):
        draw, served = random.Random(case), all_served[case % len(all_served)]
        sent = request_of(draw)
        try:
            problem = problem_of(answer_to(served, sent, stays=draw.random() < 0.5))
        except TimeoutError:
            problem = "no end"
        if problem is not None:
            problems.append(f"{case}: {problem} to {sent[:600]!r}")
    assert not problems, "\n".join(problems)
    assert [one.getMessage() for one in caplog.records if one.levelname == "ERROR"] == []
    for served in all_served:
        until(lambda served=served: not served.service.turns.open)  # type: ignore[misc]
        assert httpx.get(f"{served.address}/v1/info", headers=served.client.headers).status_code == 200
