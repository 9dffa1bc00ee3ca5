"""Serves a routed language model over HTTP: what its routers decide, as traces that Gander shows (PROTOCOL.md)."""

from importlib.metadata import PackageNotFoundError, version

PROTOCOL = 1

try:
    VERSION = version("gander-serve")
except PackageNotFoundError:  # run from a checkout, not installed
    VERSION = "0.2.0"
