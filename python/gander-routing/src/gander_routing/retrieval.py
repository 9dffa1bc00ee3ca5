"""The retrieval strategy: one expert for the whole prompt, the one with the most similar training example.

Source: Jang et al., "Exploring the Benefits of Training Expert Language Models over Instruction Tuning"
(arXiv 2302.03202), in the form that the PHATGOOSE paper compares with.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from gander_routing.errors import UserError
from gander_routing.pool import Expert, Pool

MAX_PIECES = 256  # all-MiniLM-L6-v2's own limit


class Retriever:
    """The model that embeds texts: the mean over tokens, scaled to length 1."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        for name in ("model.onnx", "tokenizer.json"):
            if not (folder / name).is_file():
                raise UserError(f"{folder / name}: no such file")
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_PIECES)
        options = onnxruntime.SessionOptions()
        # Waiting threads that spin would take cores away from other work.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self.inputs = {entry.name for entry in self.session.get_inputs()}

    def embed(self, texts: Sequence[str]) -> Tensor:
        """[texts, d] float32, rows of length 1. One text at a time, as the engine embeds prompts."""
        rows = []
        for text in texts:
            encoding = self.tokenizer.encode(text)
            given = {
                "input_ids": encoding.ids,
                "attention_mask": encoding.attention_mask,
                "token_type_ids": encoding.type_ids,
            }
            feed = {name: np.array([ids], np.int64) for name, ids in given.items() if name in self.inputs}
            mean = self.session.run(None, feed)[0][0].mean(0)
            rows.append(mean / np.linalg.norm(mean))
        return torch.from_numpy(np.stack(rows).astype(np.float32))


def examples_of(pool: Pool, expert: Expert) -> Path:
    """The file of an expert's example embeddings, which may be missing."""
    return pool.path / str(pool.manifest["experts"]) / expert.id / "examples.safetensors"


def retrievable(pool: Pool) -> bool:
    """Whether the pool has everything that retrieval needs."""
    return "retriever" in pool.manifest and all(examples_of(pool, expert).exists() for expert in pool.experts)


def similarities(pool: Pool, text: str) -> list[float]:
    """For every expert, the highest cosine between ``text`` and one of its examples."""
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
    """The id of the expert to use for ``text``; on a tie the lower index wins."""
    scores = similarities(pool, text)
    return pool.experts[scores.index(max(scores))].id
