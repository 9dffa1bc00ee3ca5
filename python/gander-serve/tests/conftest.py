"""Tiny random models, served on local sockets to a real client."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from gander_trace import Trace
from gander_training.tiny.mixtures import write_moe

from gander_serve.app import Service
from gander_serve.engine import Engine
from gander_serve.limits import Together
from gander_serve.loading import Where, load_hugging_face
from gander_serve.moe import MoeModel
from gander_serve.passage import Model
from gander_serve.pool import PoolModel
from gander_serve.server import listening, serve

FIXTURES = Path(__file__).resolve().parents[3] / "test/fixtures"
TOKEN = "a-token-of-the-tests"
CHUNK = 7
# Seconds until a wait counts as one that never ends: a busy machine may be slow.
HANGS = 600


@dataclass
class Served:
    """A server, and a client with its token."""

    address: str
    client: httpx.Client
    service: Service
    folder: Path

    def post(self, what: str, **body: Any) -> httpx.Response:
        # json.dumps escapes a lone surrogate; UTF-8 could not encode it.
        return self.client.post(f"/v1/{what}", content=json.dumps(body))

    def trace(self, what: str, **body: Any) -> Trace:
        answer = self.post(what, **body)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/vnd.gander.trace"
        return as_trace(self.folder, answer.content)

    def refused(self, what: str, **body: Any) -> tuple[int, str, str]:
        answer = self.post(what, **body)
        error = answer.json()["error"]
        assert error["message"] and error["remedy"]
        return answer.status_code, error["code"], error["message"]


def as_trace(folder: Path, content: bytes) -> Trace:
    """Loads a trace from an answer's bytes."""
    file = folder / "answer.gander.safetensors"
    file.write_bytes(content)
    return Trace.load(file)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    """Starts a server for a model; it runs until the end of the tests."""
    torch.set_num_threads(1)
    clients = []

    def start(
        model: Model, chunk: int = CHUNK, tokens: int | None = None, together: Together | None = None, **more: Any
    ) -> Served:
        opened, ready = listening("127.0.0.1", 0), threading.Event()
        service = Service(Engine(model, chunk, tokens, together), TOKEN, **more)
        threading.Thread(target=serve, args=(service, opened, ready.set), daemon=True).start()
        assert ready.wait(HANGS)
        address = f"http://127.0.0.1:{opened.getsockname()[1]}"
        client = httpx.Client(base_url=address, headers={"authorization": f"Bearer {TOKEN}"}, timeout=HANGS)
        clients.append(client)
        return Served(address, client, service, tmp_path_factory.mktemp("served"))

    yield start
    for client in clients:
        client.close()


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The Hugging Face folder of a tiny mixture of experts."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp("models") / name
            write_moe(name, made[name])
        return made[name]

    return folder


@pytest.fixture(scope="session")
def moe(server: Callable[..., Served], folder_of: Callable[[str], Path]) -> Callable[[str], Served]:
    """A mixture of experts, served."""
    started: dict[str, Served] = {}

    def get(name: str) -> Served:
        if name not in started:
            started[name] = server(MoeModel(load_hugging_face(str(folder_of(name)), Where())))
        return started[name]

    return get


@pytest.fixture(scope="session")
def pool(server: Callable[..., Served]) -> Served:
    """The tiny pool, served."""
    return server(PoolModel(FIXTURES / "tiny-pool", Where()))


@pytest.fixture(scope="session")
def pair(server: Callable[..., Served]) -> Served:
    """A tiny T5 with the experts of the authors' checkpoint, served."""
    return server(PoolModel(FIXTURES / "tiny-t5", Where()))


def assert_spelled(told: Sequence[str] | None, wanted: Sequence[str] | None) -> None:
    """Compares tokens, except for incomplete characters, which golden traces spell in the vocabulary's symbols."""
    assert told is not None and wanted is not None
    for own, golden in zip(told, wanted, strict=True):
        assert own == golden or not golden.isascii()


def bits_of(log_prob: Any, counted: Any) -> float:
    return float(-np.asarray(log_prob, np.float64)[counted].sum() / np.log(2))


@dataclass
class Frames:
    """The frames of an answer."""

    progress: list[dict[str, int]]
    partial: list[Trace]
    last: tuple[int, bytes]


def frames(served: Served, answer: httpx.Response) -> Frames:
    """Splits an answer into its frames."""
    content, at = answer.read(), 0
    told = Frames([], [], (0, b""))
    while at < len(content):
        kind, length = (
            int.from_bytes(content[at : at + 4], "little"),
            int.from_bytes(content[at + 4 : at + 8], "little"),
        )
        body = content[at + 8 : at + 8 + length]
        assert len(body) == length and told.last[0] == 0, "every frame is complete, and none follows the last"
        at += 8 + length
        if kind == 1:
            told.progress.append(json.loads(body))
        elif kind == 2:
            told.partial.append(as_trace(served.folder, body))
        else:
            told.last = kind, body
    return told


class Held:
    """Pauses the model at a step until ``let_go`` is set; ``steps`` counts all steps."""

    def __init__(self, at: int) -> None:
        self.at, self.steps = at, 0
        self.reached, self.let_go = threading.Event(), threading.Event()

    def __call__(self, *_: object) -> None:
        self.steps += 1
        if self.steps == self.at:
            self.reached.set()
            assert self.let_go.wait(HANGS)


@contextlib.contextmanager
def held(served: Served, at: int) -> Iterator[Held]:
    gate = Held(at)
    handle = served.service.engine.loaded.model.register_forward_pre_hook(gate)
    try:
        yield gate
    finally:
        gate.let_go.set()
        handle.remove()


def until(condition: Callable[[], bool]) -> None:
    """Waits until another thread makes a condition true."""
    end = time.monotonic() + HANGS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def raw(served: Served, head: str, body: bytes) -> socket.socket:
    """Opens a connection and sends a head and a body."""
    host, port = served.address.removeprefix("http://").split(":")
    opened = socket.create_connection((host, int(port)), timeout=HANGS)
    opened.sendall(head.replace("\n", "\r\n").encode() + body)
    return opened


def posting(length: int, accept: str = "*/*") -> str:
    return f"POST /v1/route HTTP/1.1\nHost: x\nAuthorization: Bearer {TOKEN}\nAccept: {accept}\nContent-Length: {length}\n\n"


def status_of(opened: socket.socket) -> int:
    return int(opened.makefile("rb").readline().split()[1])
