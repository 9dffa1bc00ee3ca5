"""The tests' tiny encoder-decoder pool, with the experts of a fixture from the PHATGOOSE authors' code.

Run ``python -m gander_training.tiny.t5`` to write ``test/fixtures/tiny-t5`` again from ``test/fixtures/phatgoose-t5``.
``gander-training reference --pool test/fixtures/tiny-t5`` writes its golden traces.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from gander_routing.pool import read_pool
from safetensors.torch import load_file, save_file

from gander_training.files import whole_folder
from gander_training.imports.phatgoose import import_phatgoose

NAMES = ["P3Agnews", "P3Amazonpolarity", "P3Cosmosqa", "P3Samsum", "P3Quartz"]


def write_pool(source: Path, target: Path) -> None:
    """Write the checkpoint in the fixture ``source`` as a pool, with the mean inputs for average activation."""
    with whole_folder(target) as folder, tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        pool = Path(scratch) / target.name
        names = Path(scratch) / "names.txt"
        names.write_text("\n".join(NAMES) + "\n", encoding="utf-8")
        import_phatgoose(
            source / "phatgoose/best.pt",
            source / "base",
            pool,
            names=names,
            title="Five experts on a tiny T5",
            license="Apache-2.0",
        )
        variants = load_file(source / "variants.safetensors")
        for index, expert in enumerate(read_pool(pool).experts):
            means = {path: variants[f"avgact.{path}._addons.router.expert_embeddings__{index}"] for path in expert.lora}
            file = pool / "experts" / expert.id / "activation.safetensors"
            save_file(means, file, metadata={"format": "pt"})
            file.chmod(0o644)
        for entry in pool.iterdir():
            entry.rename(folder / entry.name)


def main(argv: list[str] | None = None) -> int:
    """Entry point of ``python -m gander_training.tiny.t5``."""
    fixtures = Path("test/fixtures")
    parser = argparse.ArgumentParser(prog="gander_training.tiny.t5", description=__doc__)
    parser.add_argument("--source", type=Path, default=fixtures / "phatgoose-t5")
    parser.add_argument("--out", type=Path, default=fixtures / "tiny-t5")
    args = parser.parse_args(argv)
    write_pool(args.source, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
