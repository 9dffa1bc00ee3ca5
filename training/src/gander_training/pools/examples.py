"""Embed the training examples of a pool's experts again, for a new retriever; gates stay as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from gander_routing.errors import UserError
from gander_routing.pool import read_pool
from gander_routing.retrieval import Retriever, examples_of
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoTokenizer

from gander_training.bases.source import is_pair_base
from gander_training.files import whole_file
from gander_training.gates.examples import gather_examples
from gander_training.gates.train import GateOptions
from gander_training.pairs.data import read_pairs
from gander_training.pairs.train import EXAMPLES, PairOptions
from gander_training.pools.pool import manifest_of
from gander_training.texts.windows import read_texts


def embed_examples(pool: Path, data: Path) -> Iterator[str]:
    """Write every expert's ``examples.safetensors`` from ``data``/<expert>/train.jsonl; yields a line for each.

    Nothing is written until all are embedded, because vectors of two retrievers cannot be compared.
    """
    manifest = manifest_of(pool)
    if "retriever" not in manifest:
        raise UserError(f"{pool / 'pool.json'}: names no retriever")
    opened = read_pool(pool)
    texts = {expert.id: _texts(pool, data / expert.id / "train.jsonl") for expert in opened.experts}
    tokenizer = AutoTokenizer.from_pretrained((pool / manifest["base"]["tokenizer"]).parent, local_files_only=True)
    retriever = Retriever((pool / manifest["retriever"]["model"]).parent)
    count, length = (EXAMPLES, PairOptions.length) if is_pair_base(pool) else (GateOptions.examples, GateOptions.length)
    made: dict[Path, dict[str, Tensor]] = {}
    for expert in opened.experts:
        made[examples_of(opened, expert)] = gather_examples(texts[expert.id], tokenizer, retriever, count, length)
        yield f"{expert.id}: {min(count, len(texts[expert.id]))} examples"
    for target, tensors in made.items():
        with whole_file(target) as path:
            save_file(tensors, path)


def _texts(pool: Path, path: Path) -> Sequence[str]:
    return [pair.input for pair in read_pairs(path)] if is_pair_base(pool) else read_texts(path)
