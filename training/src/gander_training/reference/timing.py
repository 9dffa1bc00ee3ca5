"""Measures how long a routed pass takes."""

from __future__ import annotations

import math
import statistics
import time
from typing import Any

import torch
from gander_routing.forward import routed_forward
from gander_routing.pool import Pool
from gander_routing.strategies import Strategy
from gander_routing.xlora import read_classifier

from gander_training.reference.golden import load_base, settled
from gander_training.texts.tokens import encode, load_tokenizer

TIMED_TEXT = "def route(tokens):\n    return [max(experts, key=lambda e: e.score(t)) for t in tokens]\n\n"


def timings(run: Any, repeats: int) -> list[float]:
    """Milliseconds of each of ``repeats`` calls, after one warm-up call."""
    run()
    out = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        out.append(round((time.perf_counter() - started) * 1000, 3))
    return out


def measure(pool: Pool, text: str, strategy: Strategy, tokens: int | None, repeats: int) -> dict[str, Any]:
    """The time of one routed forward pass with its trace, and of the base alone, on the same tokens."""
    model, tokenizer = load_base(pool.path), load_tokenizer(pool.path)
    strategy, ids = settled(pool, strategy, text), encode(tokenizer, text).ids
    if tokens is not None:
        own = encode(tokenizer, text * math.ceil(tokens / max(1, len(ids) - 1))).ids
        ids = own[:tokens]
    batch = torch.tensor([ids])

    def base() -> None:
        with torch.no_grad():
            model(input_ids=batch, use_cache=False)

    classifier = read_classifier(pool) if strategy.name == "x-lora" else None

    def route() -> None:
        routed_forward(model, pool.experts, batch, strategy, multitask=pool.multitask, classifier=classifier)

    routed = timings(route, repeats)
    alone = timings(base, repeats)
    return {
        "pool": pool.manifest["id"],
        "strategy": strategy.header(),
        "tokens": len(ids),
        "threads": torch.get_num_threads(),
        "ms": statistics.median(routed),
        "baseMs": statistics.median(alone),
        "runs": routed,
        "baseRuns": alone,
    }
