"""The queue: the model runs one request, or several of a kind in one pass; some wait, and further ones are refused."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import struct
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from gander_trace import Trace, TraceError

from gander_serve.errors import ServeError, fault

PROGRESS, PARTIAL, FINAL, ERROR, JSON = 1, 2, 3, 4, 5
PARTIAL_EVERY = 1.0
"""The least seconds between two partial traces; also at least ten times what making one took."""

log = logging.getLogger("gander_serve")


def frame(kind: int, body: bytes) -> bytes:
    """A frame as in PROTOCOL.md."""
    return struct.pack("<II", kind, len(body)) + body


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


Answered = tuple[int, bytes]
"""Kind and body of the last frame."""
Event = Answered | ServeError


@dataclass(frozen=True)
class Work:
    """What the thread does for a request. Requests of the same ``kind``, unless it is ``None``, may run together."""

    alone: Callable[[Job], Answered]
    kind: Hashable | None = None
    asked: Any = None
    """The request itself, for running it together with others."""


Share = Callable[[Sequence["Job"]], Iterator[tuple["Job", Answered]]]
"""Runs jobs of a kind together and yields each as it is done; those that it does not yield are then run alone."""


@dataclass(eq=False)
class Job:
    """A request, from entering the queue to its answer."""

    work: Work
    streams: bool
    """Whether the client wants frames while it runs."""
    loop: asyncio.AbstractEventLoop
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)
    stopped: ServeError | None = None
    next_partial: float = 0
    partial_unread: bool = False

    def stop(self, why: ServeError) -> None:
        """Stops it at the next chunk, or before it begins. May be called from any thread."""
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
        except RuntimeError:  # the loop is closed: nobody is listening
            pass

    async def frames(self) -> AsyncIterator[tuple[int, bytes]]:
        """All frames, the last of them FINAL or JSON. Raises ``ServeError`` if the job fails."""
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
    """The thread that runs the model, and the queue for it: at most ``waiting`` jobs in addition to the running one.

    ``share`` gets up to ``together`` jobs of a kind.
    """

    def __init__(self, waiting: int, share: Share, together: int = 1) -> None:
        self.most, self.share, self.together = waiting, share, together
        self.queue: deque[Job] = deque()
        self.changed = threading.Condition()
        self.open: set[Job] = set()
        self.closed: ServeError | None = None
        self.took: deque[float] = deque(maxlen=8)
        # A daemon, so that a second SIGINT can end the process while a chunk is running.
        self.thread = threading.Thread(target=self._work, name="model", daemon=True)
        self.thread.start()

    def submit(self, job: Job) -> Job:
        """Takes a place in the queue. Raises ``ServeError`` if there is none."""
        with self.changed:
            if self.closed is not None:
                raise self.closed
            if len(self.open) > self.most:
                after = self.expected()
                raise ServeError(
                    "busy",
                    f"{len(self.open)} requests are running or waiting; no more are accepted.",
                    f"Ask again in {after} seconds.",
                    retry_after=after,
                )
            self.open.add(job)
            self.queue.append(job)
            self.changed.notify()
        return job

    def leave(self, job: Job) -> None:
        """Stops a job that nobody waits for any more, and frees its place, whether or not it began."""
        job.stop(ServeError("cancelled", "The client hung up.", "Ask again."))
        with self.changed:
            self.open.discard(job)

    def expected(self) -> int:
        """Seconds until a place is likely to be free."""
        each = sum(self.took) / len(self.took) if self.took else 1.0
        return min(60, max(1, math.ceil(each)))

    def close(self, why: ServeError) -> None:
        """Stops serving: the running job stops at the next chunk, then all that wait are told."""
        with self.changed:
            if self.closed is not None:
                return
            self.closed = why
            for job in self.open:
                job.stop(why)
            self.changed.notify()

    def _work(self) -> None:
        while jobs := self._next():
            started = time.monotonic()
            left = dict.fromkeys(jobs)
            if len(jobs) > 1:
                for job, event in self._shared(jobs):
                    del left[job]
                    self._finish(job, event)
            for job in left:
                self._finish(job, answer(job))
            with self.changed:
                self.took.append((time.monotonic() - started) / len(jobs))

    def _next(self) -> Sequence[Job]:
        """The job that has waited longest and others of its kind; none once all were told that the server stops."""
        with self.changed:
            self.changed.wait_for(lambda: self.queue or self.closed)
            if not self.queue:
                return []
            first = self.queue.popleft()
            others = [job for job in self.queue if job.stopped is None and job.work.kind == first.work.kind is not None]
            for job in others[: self.together - 1]:
                self.queue.remove(job)
            return [first, *others[: self.together - 1]]

    def _shared(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, Event]]:
        try:
            yield from self.share(jobs)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
        except Exception:
            # One request may be the cause; alone, each gets its own answer.
            log.exception("a shared pass failed; each of its requests runs alone")

    def _finish(self, job: Job, event: Event) -> None:
        with self.changed:
            self.open.discard(job)
        job.tell(event)


def answer(job: Job) -> Event:
    """Runs a job; a failure is also an answer."""
    try:
        job.check()
        return job.work.alone(job)
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
        return fault()
