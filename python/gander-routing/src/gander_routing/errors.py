"""The one error that is meant for users."""

from __future__ import annotations


class UserError(Exception):
    """Input that cannot be used. The message is one line that names the file and what is wrong with it."""
