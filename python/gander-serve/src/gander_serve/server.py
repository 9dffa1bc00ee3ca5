"""Runs a service on a socket until it is told to stop."""

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
"""Seconds that a running chunk gets to finish when the server is told to stop."""
LEAST_TOKEN = 16


def listening(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one. Raises ``ServeError`` if the address cannot be used."""
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
    """The token, from the file, otherwise the environment, otherwise a new one; and whether it must be printed.

    A missing file is created, readable only by its owner. Raises ``ServeError`` if the token is too short or malformed.
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
            f"The token in {where} must have at least {LEAST_TOKEN} ASCII characters and no spaces.",
            "Name a --token-file that does not exist; it is created with a new token.",
        )
    return token


def serve(service: Service, opened: socket.socket, ready: Callable[[], None]) -> None:
    """Serves until SIGINT or SIGTERM, calling ``ready`` at the start; a second signal does not wait for the chunk."""
    _raise_open_files()
    protocol: Any = partial(Connection, Lobby(), service.patience)
    # asyncio even if uvloop is installed, so that the same code runs everywhere.
    config = uvicorn.Config(
        service.app,
        http=protocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        # At a lower level, clients that send invalid HTTP could fill the log.
        log_level="error",
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE,
    )
    asyncio.run(_serve(Server(config), service, opened, ready))


def _raise_open_files() -> None:
    """Raises the limit of open files as far as allowed: each connection is one, and some shells allow only 256."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Server(uvicorn.Server):
    """uvicorn's server without its signal handlers, which would raise the signals again at the end."""

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
            # The loop's own handlers do not exist on Windows.
            signal.signal(kind, lambda *_: loop.call_soon_threadsafe(end))
    serving = asyncio.ensure_future(server.serve([opened]))
    while not (server.started or serving.done()):
        await asyncio.sleep(0.01)
    if server.started:
        ready()
    await serving
