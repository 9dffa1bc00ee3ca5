"""Model cards: YAML between two lines of ``---``, then Markdown."""

from __future__ import annotations

import re


def split_card(card: str) -> tuple[str | None, str]:
    """The front matter, ``None`` if there is none, and the text after it."""
    found = re.match(r"---\r?\n(.*?)\r?\n---(?:\r?\n|$)(.*)", card, re.DOTALL)
    return (found[1], found[2]) if found else (None, card)
