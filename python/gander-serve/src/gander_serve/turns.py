"""Requests one after another: a model computes one at a time, a few wait, and those that are too many are told so."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import queue
import struct
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from gander_trace import Trace, TraceError

from gander_serve.errors import ServeError

PROGRESS, PARTIAL, FINAL, ERROR, JSON = 1, 2, 3, 4, 5
PARTIAL_EVERY = 1.0
"""Seconds between two partial traces, at least; and ten times what making one took."""

log = logging.getLogger("gander_serve")


def frame(kind: int, body: bytes) -> bytes:
    """A frame of PROTOCOL.md."""
    return struct.pack("<II", kind, len(body)) + body


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


Event = tuple[int, bytes] | ServeError
Work = Callable[["Job"], tuple[int, bytes]]


@dataclass(eq=False)
class Job:
    """A request, from when it waits until it is answered. ``work`` gives the kind and the body of the last frame."""

    work: Work
    streams: bool
    """Whether somebody watches it run."""
    loop: asyncio.AbstractEventLoop
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)
    stopped: ServeError | None = None
    next_partial: float = 0
    partial_unread: bool = False

    def stop(self, why: ServeError) -> None:
        """From any thread: it ends at the next chunk, or does not begin."""
        self.stopped = self.stopped or why

    def check(self) -> None:
        if self.stopped is not None:
            raise self.stopped

    def progress(self, done: int, total: int) -> None:
        if self.streams:
            self.tell((PROGRESS, as_json({"done": done, "total": total})))

    def partial(self, trace: Callable[[], Trace]) -> None:
        started = time.monotonic()
        if not self.streams or self.partial_unread or started < self.next_partial:
            return
        self.partial_unread = True
        self.tell((PARTIAL, trace().to_bytes()))
        ended = time.monotonic()
        self.next_partial = ended + max(PARTIAL_EVERY, 10 * (ended - started))

    def tell(self, event: Event) -> None:
        try:
            self.loop.call_soon_threadsafe(self.events.put_nowait, event)
        except RuntimeError:  # the loop is closed: nobody is left to be told
            pass

    async def frames(self) -> AsyncIterator[tuple[int, bytes]]:
        """All it tells; the last is FINAL or JSON. Raises ``ServeError`` where it fails."""
        while True:
            event = await self.events.get()
            if isinstance(event, ServeError):
                raise event
            if event[0] == PARTIAL:
                self.partial_unread = False
            yield event
            if event[0] in (FINAL, JSON):
                return


class Turns:
    """A thread that computes, and who waits for it: ``waiting`` at most beside the one that runs."""

    def __init__(self, waiting: int) -> None:
        self.most = waiting
        self.queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.lock = threading.Lock()
        self.open: set[Job] = set()
        self.closed: ServeError | None = None
        self.took: deque[float] = deque(maxlen=8)
        # It must not keep the process alive: an impatient person ends that while a chunk computes.
        self.thread = threading.Thread(target=self._work, name="model", daemon=True)
        self.thread.start()

    def submit(self, job: Job) -> Job:
        """Takes a place in the queue. Raises ``ServeError`` where there is none."""
        with self.lock:
            if self.closed is not None:
                raise self.closed
            if len(self.open) > self.most:
                after = self.expected()
                raise ServeError(
                    "busy",
                    f"{len(self.open)} requests are being served or wait, and no more are taken.",
                    f"Ask again in {after} seconds.",
                    retry_after=after,
                )
            self.open.add(job)
        self.queue.put(job)
        return job

    def leave(self, job: Job) -> None:
        """Nobody waits for it any more: its place is free, whether it ever began or not."""
        job.stop(ServeError("cancelled", "The client hung up.", "Ask again."))
        with self.lock:
            self.open.discard(job)

    def expected(self) -> int:
        """Seconds until a place is likely to be free."""
        each = sum(self.took) / len(self.took) if self.took else 1.0
        return min(60, max(1, math.ceil(each)))

    def close(self, why: ServeError) -> None:
        """Nobody is served any more: who runs stops at the next chunk, and then all who wait are told."""
        with self.lock:
            if self.closed is not None:
                return
            self.closed = why
            for job in self.open:
                job.stop(why)
        self.queue.put(None)

    def _work(self) -> None:
        while (job := self.queue.get()) is not None:
            started = time.monotonic()
            event = answer(job)
            with self.lock:
                self.open.discard(job)
                self.took.append(time.monotonic() - started)
            job.tell(event)


def answer(job: Job) -> Event:
    """Runs a job; whatever goes wrong is an answer, too."""
    try:
        job.check()
        return job.work(job)
    except ServeError as error:
        return error
    except TraceError as error:
        return ServeError("trace-invalid", f"The trace cannot be sent: {error}.", "Send less text.")
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return ServeError(
            "engine-unavailable", "There is not enough memory on the GPU for this text.", "Send less text."
        )
    except Exception:
        log.exception("a request failed")
        return ServeError(
            "internal", "The server failed on this request.", "Its log tells why; ask for something else."
        )
