"""The sentence embedder that a pool ships for the retrieval strategy: all-MiniLM-L6-v2, int8 ONNX.

Documents are embedded with the very file that embeds prompts at run time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from .errors import UserError
from .files import whole_folder

MAX_PIECES = 256  # all-MiniLM-L6-v2's own limit


class Retriever:
    """Mean over tokens, then unit length."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        for name in ("model.onnx", "tokenizer.json"):
            if not (folder / name).is_file():
                raise UserError(f"{folder / name}: no such file")
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_PIECES)
        self.session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
        self.inputs = {entry.name for entry in self.session.get_inputs()}

    def embed(self, texts: Sequence[str]) -> Tensor:
        """[texts, d] float32, rows of length 1. One text at a time: int8 scales depend on the whole batch."""
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


def quantise_rows(rows: Tensor) -> dict[str, Tensor]:
    """int8 [n, d] and the scale of each row, as ``examples.safetensors`` holds them."""
    scales = rows.abs().amax(-1).clamp(min=1e-12) / 127
    return {"embeddings": torch.round(rows / scales[:, None]).to(torch.int8), "scales": scales.float()}


def export_retriever(source: Path, target: Path) -> None:
    """Export a sentence-transformers folder of a BERT-like encoder to int8 ONNX."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from optimum.exporters.onnx import main_export

    if not (source / "config.json").is_file():
        raise UserError(f"{source / 'config.json'}: no such file")
    with whole_folder(target) as folder, tempfile.TemporaryDirectory() as scratch:
        main_export(str(source), scratch, task="feature-extraction", library_name="transformers", do_validation=False)
        quantize_dynamic(
            Path(scratch) / "model.onnx", folder / "model.onnx", weight_type=QuantType.QInt8, per_channel=True
        )
        tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_PIECES)
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
