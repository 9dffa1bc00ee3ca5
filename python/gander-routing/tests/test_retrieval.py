"""Which expert retrieval picks."""

from __future__ import annotations

import pytest

from gander_routing.pool import Pool
from gander_routing.retrieval import retrieve, similarities


def test_retrieval_picks_the_expert_with_the_most_similar_example(pool: Pool) -> None:
    scores = similarities(pool, "for i in range(3): print(i)")
    assert retrieve(pool, "for i in range(3): print(i)") == "alpha"
    assert scores[1] == pytest.approx(1, abs=0.01) and max(scores) == scores[1]
