"""Writes ``test/fixtures/tiny-pool`` and ``test/fixtures/bases`` again."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gander_training.files import whole_folder
from gander_training.tiny.bases import write_bases
from gander_training.tiny.pool import SEED, write_pool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``tiny``."""
    parser.add_argument("--out", type=Path, default=Path("test/fixtures"), help="folder for the fixtures")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of all random numbers")


def run(args: argparse.Namespace) -> int:
    """Write the tiny pool and the variants of its base."""
    with whole_folder(args.out / "tiny-pool") as pool:
        write_pool(pool, args.seed)
    with whole_folder(args.out / "bases") as bases:
        write_bases(args.out / "tiny-pool/base/model.onnx", bases, args.seed)
    return 0


def main(argv: list[str] | None = None) -> int:
    """Entry point of ``python -m gander_training.tiny``."""
    parser = argparse.ArgumentParser(prog="gander_training.tiny", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
