"""The retrieval strategy: one expert for the whole prompt, the one that holds the most similar training example.

Source: Jang et al., "Exploring the Benefits of Training Expert Language Models over Instruction Tuning"
(arXiv 2302.03202), as the PHATGOOSE paper compares with it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from safetensors.torch import load_file

from gander_training.errors import UserError
from gander_training.retriever import Retriever
from gander_training.routed import Expert, Pool, read_pool


def examples_of(pool: Pool, expert: Expert) -> Path:
    """Where an expert's example embeddings are, if it has them."""
    return pool.path / str(pool.manifest["experts"]) / expert.id / "examples.safetensors"


def retrievable(pool: Pool) -> bool:
    """Whether the pool has all that retrieval needs."""
    return "retriever" in pool.manifest and all(examples_of(pool, expert).exists() for expert in pool.experts)


def similarities(pool: Pool, text: str) -> list[float]:
    """For every expert, the highest cosine of its examples to ``text``."""
    if "retriever" not in pool.manifest:
        raise UserError(f"{pool.path}: the pool has no retriever")
    folder = (pool.path / str(pool.manifest["retriever"]["model"])).parent
    query = Retriever(folder).embed([text])[0]
    best = []
    for expert in pool.experts:
        file = examples_of(pool, expert)
        if not file.exists():
            raise UserError(f"{file}: no such file")
        stored = load_file(file)
        vectors = stored["embeddings"].float() * stored["scales"][:, None]
        best.append(float((vectors @ query).max()))
    return best


def retrieve(pool: Pool, text: str) -> str:
    """The id of the expert to use for ``text``; the lower index wins a tie."""
    scores = similarities(pool, text)
    return pool.experts[scores.index(max(scores))].id


def main(argv: list[str] | None = None) -> int:
    """Entry point of ``python -m gander_training.retrieve``: what the engine's similarities are held to."""
    from gander_training.reference import RETRIEVED

    parser = argparse.ArgumentParser(prog="gander_training.retrieve", description=__doc__)
    parser.add_argument("--pool", type=Path, required=True, help="pool folder")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write: by text, then by expert")
    args = parser.parse_args(argv)
    pool = read_pool(args.pool)
    told = {
        text: {expert.id: round(own, 6) for expert, own in zip(pool.experts, similarities(pool, text), strict=True)}
        for text in RETRIEVED
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
