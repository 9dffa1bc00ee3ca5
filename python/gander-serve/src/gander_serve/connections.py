"""Limits open connections: places for clients with the token, and others for strangers, where the newest wins."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from gander_serve.app import ADMIT
from gander_serve.errors import ServeError, refused
from gander_serve.turns import as_json

CONNECTIONS = 512
"""The most open connections that have shown the token."""
STRANGERS = 384
"""The most others, from which no request with the token has been read yet."""
BY_ADDRESS = 256
"""The most strangers from one address."""
BACKLOG = 64
"""Connections accepted at once. A new one is first read three such rounds later, so BY_ADDRESS must be larger."""
OPEN_FILES = 2 * (CONNECTIONS + STRANGERS)


class Lobby:
    """Keeps places free for clients with the token: a stranger too many replaces the one that has waited longest."""

    def __init__(self) -> None:
        self.known: set[Connection] = set()
        # By address, oldest first.
        self.strangers: dict[str, dict[Connection, None]] = {}

    def enter(self, one: Connection) -> None:
        group = self.strangers.setdefault(one.address, {})
        group[one] = None
        if len(group) > BY_ADDRESS:
            self._drop(group)
        elif sum(map(len, self.strangers.values())) > STRANGERS:
            self._drop(max(self.strangers.values(), key=len))

    def _drop(self, group: dict[Connection, None]) -> None:
        oldest = next(iter(group))
        self.leave(oldest)
        # close() would wait for unsent data, which the client may never read.
        oldest.transport.abort()

    def admit(self, one: Connection) -> None:
        """Gives a connection that has shown the token a place of its own. Raises ``ServeError`` if none is free."""
        if one in self.known:
            return
        if len(self.known) >= CONNECTIONS:
            raise ServeError("busy", f"{CONNECTIONS} connections are open.", "Ask again in 1 second.", retry_after=1)
        self.leave(one)
        self.known.add(one)

    def leave(self, one: Connection) -> None:
        self.known.discard(one)
        if (group := self.strangers.get(one.address)) is not None:
            group.pop(one, None)
            if not group:
                del self.strangers[one.address]


class Connection(H11Protocol):
    """uvicorn's connection, with at most ``patience`` seconds for a request's head, and typed errors."""

    def __init__(self, lobby: Lobby, patience: float, app_state: dict[str, Any], **more: Any) -> None:
        super().__init__(app_state={**app_state, ADMIT: lambda: lobby.admit(self)}, **more)
        self.lobby, self.patience = lobby, patience
        self.address = ""
        self.waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self.lobby.enter(self)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.lobby.leave(self)
        self._wait_no_more()

    def _wait(self) -> None:
        """Waits for a complete head, from its first byte or from the start of the connection."""
        if self.conn.their_state is not h11.IDLE:
            self._wait_no_more()
        elif self.waiting is None and not self.transport.is_closing():
            self.waiting = self.loop.call_later(self.patience, self._too_slow)

    def _wait_no_more(self) -> None:
        if self.waiting is not None:
            self.waiting.cancel()
            self.waiting = None

    def _too_slow(self) -> None:
        self._fail(ServeError("request-slow", "The request's head did not arrive in time.", "Send it again."))

    def send_400_response(self, msg: str) -> None:
        self._fail(refused(msg))

    def _fail(self, error: ServeError) -> None:
        """Sends an error for a request that is not complete, and hangs up."""
        body = as_json(error.to_json())
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        for event in (h11.Response(status_code=error.status, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
