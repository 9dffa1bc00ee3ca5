"""Golden similarities for the retrieval strategy: one expert for the prompt, the one with the most similar example.

Source: Jang et al., "Exploring the Benefits of Training Expert Language Models over Instruction Tuning"
(arXiv 2302.03202), in the form that the PHATGOOSE paper compares with.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from gander_routing.pool import read_pool
from gander_routing.retrieval import similarities

from gander_training.reference.cases import RETRIEVED


def main(argv: list[str] | None = None) -> int:
    """Entry point of ``python -m gander_training.reference.retrieval``."""
    parser = argparse.ArgumentParser(prog="gander_training.reference.retrieval", description=__doc__)
    parser.add_argument("--pool", type=Path, required=True, help="pool folder")
    parser.add_argument(
        "--out", type=Path, required=True, help="JSON file to write: similarities by text, then by expert"
    )
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
