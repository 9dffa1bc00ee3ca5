"""Errors for people: what happened, and what to do about it."""

from __future__ import annotations

from typing import Any

# HTTP status by code; codes with the same meaning are the same in src/errors/errors.ts.
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
    "base-invalid": 500,
    "internal": 500,
    "cancelled": 503,
    "engine-unavailable": 503,
    # Only from the command, before it serves.
    "cannot-serve": 500,
}


MOST_SAID = 1000
"""The most characters in a message, which may quote a long request."""


class ServeError(Exception):
    """``code`` is for programs, ``message`` and ``remedy`` are for people."""

    def __init__(self, code: str, message: str, remedy: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        # A quoted request may contain a lone surrogate, which UTF-8 cannot encode.
        self.message = message[:MOST_SAID].encode(errors="backslashreplace").decode()
        self.code, self.remedy, self.retry_after = code, remedy, retry_after

    @property
    def status(self) -> int:
        return STATUS[self.code]

    def to_json(self) -> dict[str, Any]:
        return {"error": {"code": self.code, "message": self.message, "remedy": self.remedy}}


def fault() -> ServeError:
    """An unexpected error; details appear only in the log."""
    return ServeError("internal", "The server failed on this request.", "Its log says why. Try another request.")


def refused(message: str, remedy: str = "Change the request.") -> ServeError:
    """The error for a request that is invalid, or that names something the model does not have."""
    return ServeError("request-invalid", message, remedy)
