"""The protocol (PROTOCOL.md) as an ASGI application."""

from __future__ import annotations

import asyncio
import hmac
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gander_serve import PROTOCOL, asked
from gander_serve.engine import Attribution, Engine, too_long
from gander_serve.errors import ServeError, fault, refused
from gander_serve.steps import Steps
from gander_serve.turns import ERROR, FINAL, JSON, Answered, Job, Turns, Work, as_json, frame

TRACE = "application/vnd.gander.trace"
FRAMES = "application/x-gander-frames"
ADMIT = "gander-serve.admit"
"""Key in a request's state: a function to call once the connection has shown the token."""
MOST_CHARACTERS = 64
"""Characters per token of the limit: a longer text is refused without tokenizing it."""


class Service:
    """An engine behind HTTP. ``patience``: seconds in which a request must arrive."""

    def __init__(self, engine: Engine, token: str, waiting: int = 16, patience: float = 30) -> None:
        self.engine, self.token, self.patience = engine, token.encode(), patience
        self.turns = Turns(waiting, self._together, engine.requests)
        # Text in JSON can take six bytes per character (\\u0061).
        self.most_bytes = 6 * MOST_CHARACTERS * engine.limit + 1_000_000
        routes = [
            Route("/health", self.health, methods=["GET"]),
            Route("/v1/info", self.info, methods=["GET"]),
            *(Route(f"/v1/{name}", self._endpoint(work), methods=["POST"]) for name, work in self._works().items()),
        ]
        handlers: Any = {ServeError: _failed, 404: _not_found, 405: _not_found, Exception: _faulty}
        inner = Starlette(routes=routes, exception_handlers=handlers)
        inner.router.redirect_slashes = False
        self.app: ASGIApp = self._guard(inner)

    def stop(self) -> None:
        """Ends the running request at the next chunk, and tells those that wait."""
        self.turns.close(
            ServeError("engine-unavailable", "The server is being stopped.", "Start it again.", retry_after=5)
        )

    def _guard(self, inner: ASGIApp) -> ASGIApp:
        """Refuses every request without the token, except to ``/health``."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                if scope["type"] == "http" and scope["path"] != "/health":
                    self._let_in(scope)
            except ServeError as error:
                await _response(error)(scope, receive, send)
            else:
                await inner(scope, receive, send)

        return guarded

    def _let_in(self, scope: Scope) -> None:
        given = dict(scope["headers"]).get(b"authorization", b"")
        kind, _, token = given.partition(b" ")
        if kind.lower() != b"bearer" or not hmac.compare_digest(token.strip(), self.token):
            raise ServeError(
                "unauthorized", "The token is missing or wrong.", "Give the token that the server was started with."
            )
        if (admit := scope.get("state", {}).get(ADMIT)) is not None:
            admit()

    async def health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def info(self, _: Request) -> Response:
        model, engine = self.engine.model, self.engine
        attributes = model.family != "dense"
        return JSONResponse(
            {
                "server": "gander-serve",
                "protocol": PROTOCOL,
                "name": engine.loaded.name,
                "model": str(engine.loaded.model.config.model_type),
                "family": model.family,
                "limits": {"tokens": engine.limit, "together": engine.requests}
                | ({} if model.k is None else {"k": model.k}),
                "can": {
                    "generate": engine.steps is not Steps.WHOLE,
                    "whatIf": attributes,
                    "attribute": attributes,
                    "score": True,
                    "stream": engine.steps is Steps.CHUNKS,
                    "target": engine.loaded.writes,
                },
                "strategies": list(model.strategies),
                **({"experts": [asdict(one) for one in model.experts]} if model.experts else {}),
                "sites": [_site(one) for one in model.sites],
                "expertSets": [_set(one) for one in model.expert_sets],
                "warnings": list(model.warnings),
                "versions": dict(engine.source.versions),
            }
        )

    def _works(self) -> dict[str, Callable[[Any], Work]]:
        """What to do for a request, by the last part of its address."""
        engine = self.engine

        def route(given: Any) -> Work:
            request = asked.read_route(given)
            self._fits(request.text, request.target)
            return Work(lambda job: (FINAL, engine.route(request, job).to_bytes()), engine.kind(request), request)

        def generate(given: Any) -> Work:
            request = asked.read_generate(given)
            self._fits(request.route.text, request.route.target)
            return Work(lambda job: (FINAL, engine.generate(request, job).to_bytes()))

        def attribute(given: Any) -> Work:
            request = asked.read_attribute(given)
            self._fits(request.route.text, request.route.target)
            return Work(lambda job: (JSON, as_json(_attribution(engine.attribute(request, job)))))

        def score(given: Any) -> Work:
            request = asked.read_route(given)
            self._fits(request.text, request.target)
            return Work(lambda job: (JSON, as_json(asdict(engine.score(request, job)))))

        return {"route": route, "generate": generate, "attribute": attribute, "score": score}

    def _together(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, Answered]]:
        for i, trace in self.engine.route_together([(job.work.asked, job) for job in jobs]):
            yield jobs[i], (FINAL, trace.to_bytes())

    def _fits(self, *texts: str | None) -> None:
        count = sum(len(text) for text in texts if text)
        if count > MOST_CHARACTERS * self.engine.limit:
            raise too_long(f"{count} characters", self.engine.limit)

    def _endpoint(self, work: Callable[[Any], Work]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            given = await self._body(request)
            streams = FRAMES in request.headers.get("accept", "")
            job = Job(work(given), streams, asyncio.get_running_loop())
            return Answer(self.turns, self.turns.submit(job))

        return endpoint

    async def _body(self, request: Request) -> Any:
        """The request's JSON. Raises ``ServeError`` if it is too large, too slow or not JSON."""
        body = bytearray()
        try:
            async with asyncio.timeout(self.patience):
                async for part in request.stream():
                    body += part
                    if len(body) > self.most_bytes:
                        raise too_long(f"more than {self.most_bytes} bytes", self.engine.limit)
        except TimeoutError:
            raise ServeError("request-slow", "The whole request did not arrive in time.", "Send it again.") from None
        except ClientDisconnect:
            raise ServeError("cancelled", "The client hung up.", "Ask again.") from None
        try:
            return json.loads(body)
        except ValueError as error:
            raise refused(f"The request is not JSON: {error}.") from None
        except RecursionError:
            raise refused("The request is nested too deeply.") from None


class Answer(Response):
    """A job's answer, whole or frame by frame. If the client hangs up, the job stops."""

    def __init__(self, turns: Turns, job: Job) -> None:
        self.turns, self.job = turns, job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answering = asyncio.ensure_future(self._stream(send) if self.job.streams else self._whole(scope, receive, send))
        leaving = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                answering.result()
        finally:
            self.turns.leave(self.job)
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)

    async def _whole(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            *_, (kind, body) = [event async for event in self.job.frames()]
            response = Response(body, media_type=TRACE if kind == FINAL else "application/json")
        except ServeError as error:
            response = _response(error)
        await response(scope, receive, send)

    async def _stream(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", FRAMES.encode())]})
        try:
            async for kind, body in self.job.frames():
                await send({"type": "http.response.body", "body": frame(kind, body), "more_body": True})
        except ServeError as error:
            last = frame(ERROR, as_json(error.to_json()))
            await send({"type": "http.response.body", "body": last, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _response(error: ServeError) -> Response:
    headers = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    if error.status in (401, 408, 413):  # the rest of the request is not read
        headers["connection"] = "close"
    return JSONResponse(error.to_json(), error.status, headers)


async def _failed(_: Request, error: Exception) -> Response:
    assert isinstance(error, ServeError)
    return _response(error)


async def _faulty(_: Request, __: Exception) -> Response:
    return _response(fault())


async def _not_found(request: Request, _: Exception) -> Response:
    message = f"There is no {request.method} {request.url.path}."
    return _response(ServeError("not-found", message, "PROTOCOL.md lists the requests."))


def _attribution(told: Attribution) -> dict[str, Any]:
    def numbers(row: Any) -> list[float | None]:
        return [None if math.isnan(one) else float(one) for one in row]

    return {
        "experts": [asdict(one) for one in told.experts],
        "logProb": numbers(told.log_prob),
        "change": [numbers(row) for row in told.change],
    }


def _site(site: Any) -> dict[str, Any]:
    told = {
        "path": site.path,
        "layer": site.layer,
        "kind": site.kind,
        "sequence": site.sequence,
        "expertSet": site.expert_set,
    }
    return told | ({} if site.stack is None else {"stack": site.stack})


def _set(told: Any) -> dict[str, Any]:
    experts = {"scope": told.scope, "experts": [asdict(one) for one in told.experts]}
    return experts | ({"alwaysOn": [asdict(one) for one in told.always_on]} if told.always_on else {})
