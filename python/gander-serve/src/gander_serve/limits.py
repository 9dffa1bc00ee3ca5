"""How much runs in one pass; does not import torch, so that --help does not wait for it."""

from __future__ import annotations

from dataclasses import dataclass

REQUESTS = 16
"""The most requests in one pass by default."""


@dataclass(frozen=True)
class Together:
    """The most in one pass. ``requests`` ``None``: the default if results stay the same, otherwise one."""

    requests: int | None = None
    tokens: int = 1024
    """Including padding, because every token needs memory for logits over the whole vocabulary."""
