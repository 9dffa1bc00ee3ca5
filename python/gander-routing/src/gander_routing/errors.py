"""The one error that a user is meant to read."""

from __future__ import annotations


class UserError(Exception):
    """Input that cannot be used; its text is one line naming the file and what is wrong with it."""
