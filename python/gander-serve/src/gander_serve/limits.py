"""How much at once; without torch, which --help shall not wait for."""

from __future__ import annotations

from dataclasses import dataclass

REQUESTS = 16
"""In one pass at most, where nobody says otherwise."""


@dataclass(frozen=True)
class Together:
    """What runs in one pass at most. ``requests`` is ``None``: the usual number where that is exact, else one."""

    requests: int | None = None
    tokens: int = 1024
    """Padding included: after each of them the whole vocabulary's logits are held."""
