"""A service on a socket, until it is told to end."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

from gander_serve.app import Service
from gander_serve.connections import BACKLOG, OPEN_FILES, Connection, Lobby
from gander_serve.errors import ServeError

TOKEN = "GANDER_SERVE_TOKEN"
GRACE = 30
"""Seconds that a chunk may take to end once the server shall."""
LEAST_TOKEN = 16


def listening(host: str, port: int) -> socket.socket:
    """A socket; port 0 takes a free one. Raises ``ServeError`` where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        opened.listen(BACKLOG)
    except OSError as error:
        opened.close()
        raise ServeError(
            "cannot-serve", f"{host} port {port} cannot be used: {error.strerror}.", "Name another --port or --host."
        ) from None
    return opened


def token_of(file: Path | None) -> tuple[str, bool]:
    """The token, from the file, else the environment, else a new one; whether nobody but us knows it.

    A file that is not there is made, for its owner to read. Raises ``ServeError`` for a token that can be guessed.
    """
    if file is None:
        given = os.environ.get(TOKEN)
        return (_checked(given, TOKEN), False) if given is not None else (secrets.token_urlsafe(24), True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _checked(file.read_text(encoding="utf-8"), str(file)), False
    except OSError as error:
        raise ServeError(
            "cannot-serve", f"{file} cannot be written: {error.strerror}.", "Name another --token-file."
        ) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(token := secrets.token_urlsafe(24))
    return token, False


def _checked(given: str, where: str) -> str:
    token = given.strip()
    if len(token) < LEAST_TOKEN or not token.isascii() or any(one.isspace() for one in token):
        raise ServeError(
            "cannot-serve",
            f"The token in {where} is no token of at least {LEAST_TOKEN} ASCII characters without spaces.",
            "Name a file that is not there, and one is made.",
        )
    return token


def serve(service: Service, opened: socket.socket, ready: Callable[[], None]) -> None:
    """Serves until SIGINT or SIGTERM; a second one does not wait for the chunk that computes. ``ready``: once it does."""
    _raise_open_files()
    protocol: Any = partial(Connection, Lobby(), service.patience)
    # Not uvloop where it happens to be installed: the same code everywhere.
    config = uvicorn.Config(
        service.app,
        http=protocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        # Whoever sends what is no HTTP is no affair of the log, which it could fill.
        log_level="error",
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE,
    )
    asyncio.run(_serve(Server(config), service, opened, ready))


def _raise_open_files() -> None:
    """Connections are files, of which a process may have 256 in some shells: raised as far as the system lets us."""
    try:
        import resource
    except ImportError:  # Windows counts them otherwise
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Server(uvicorn.Server):
    """It would take the signals for itself, and raise them again when it is done."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(server: uvicorn.Server, service: Service, opened: socket.socket, ready: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()

    def end() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True
        service.stop()

    if threading.current_thread() is threading.main_thread():
        for kind in (signal.SIGINT, signal.SIGTERM):
            # Not the loop's own handlers, which Windows has not.
            signal.signal(kind, lambda *_: loop.call_soon_threadsafe(end))
    serving = asyncio.ensure_future(server.serve([opened]))
    while not (server.started or serving.done()):
        await asyncio.sleep(0.01)
    if server.started:
        ready()
    await serving
