"""Measures how many short requests per second a server answers, alone and together: python measure.py MODEL [OPTION…]

The options are gander-serve's. Two servers run side by side and take turns, so that both see the same load.
"""

from __future__ import annotations

import json
import os
import secrets
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

REQUESTS = 16
ROUNDS = 7
TEXTS = [
    f"def area_{i}(radius, height): return {i} * radius ** 2 * height" + " # twice" * (i % 4) for i in range(REQUESTS)
]


class Server:
    """One gander-serve process."""

    def __init__(self, options: list[str], together: int) -> None:
        self.token = secrets.token_urlsafe(24)
        command = [sys.executable, "-m", "gander_serve.cli", *options, "--port", "0", "--together", str(together)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=os.environ | {"GANDER_SERVE_TOKEN": self.token}
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip().rpartition(" at ")[2]
        if not self.address:
            sys.exit("gander-serve did not start")

    def route(self, text: str) -> int:
        """The size of the answer in bytes."""
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        request = urllib.request.Request(f"{self.address}/v1/route", json.dumps({"text": text}).encode(), headers)
        with urllib.request.urlopen(request, timeout=600) as answer:
            return len(answer.read())


def seconds(ask: Callable[[str], int]) -> float:
    """How long it takes to answer all requests if they are sent at once."""
    with ThreadPoolExecutor(REQUESTS) as pool:
        started = time.perf_counter()
        list(pool.map(ask, TEXTS))
        return time.perf_counter() - started


def main() -> None:
    options = sys.argv[1:]
    servers = {name: Server(options, together) for name, together in (("alone", 1), ("together", REQUESTS))}
    try:
        took: dict[str, list[float]] = {name: [] for name in servers}
        for round_ in range(ROUNDS + 1):
            for name, server in servers.items():
                each = seconds(server.route)
                if round_:  # the first warms up
                    took[name].append(each)
        for name, all_ in took.items():
            print(f"{name}: {REQUESTS / statistics.median(all_):.1f} requests a second (median of {ROUNDS} rounds)")
        print(f"together / alone: {statistics.median(a / b for a, b in zip(*took.values(), strict=True)):.2f}")
    finally:
        for server in servers.values():
            server.process.kill()
            server.process.wait()


if __name__ == "__main__":
    main()
