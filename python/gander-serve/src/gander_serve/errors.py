"""What goes wrong, for a person: what happened and what to do about it."""

from __future__ import annotations

from typing import Any

# By code, as src/errors/errors.ts has them where one thing is meant.
STATUS = {
    "text-empty": 400,
    "request-invalid": 400,
    "strategy-unavailable": 400,
    "unauthorized": 401,
    "not-found": 404,
    "request-slow": 408,
    "text-too-long": 413,
    "trace-invalid": 413,
    "busy": 429,
    "internal": 500,
    "cancelled": 503,
    "engine-unavailable": 503,
    # Of the command alone: nobody is asked anything yet.
    "cannot-serve": 500,
}


MOST_SAID = 1000
"""Characters of a message: it may quote the request, which may be long."""


class ServeError(Exception):
    """``code`` is for programs, ``message`` and ``remedy`` are for people."""

    def __init__(self, code: str, message: str, remedy: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        # What is quoted may be half a character, which is no UTF-8.
        self.message = message[:MOST_SAID].encode(errors="backslashreplace").decode()
        self.code, self.remedy, self.retry_after = code, remedy, retry_after

    @property
    def status(self) -> int:
        return STATUS[self.code]

    def to_json(self) -> dict[str, Any]:
        return {"error": {"code": self.code, "message": self.message, "remedy": self.remedy}}


def fault() -> ServeError:
    """What nobody thought of; only the log tells more."""
    return ServeError("internal", "The server failed on this request.", "Its log tells why; ask for something else.")


def refused(message: str, remedy: str = "Change the request.") -> ServeError:
    """A request that names what the model has not, or that nobody could mean."""
    return ServeError("request-invalid", message, remedy)
