"""Runs a causal language model in an ONNX folder step by step, from any exporter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from gander_routing.errors import UserError
from gander_routing.files import read_json

TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int64)": np.int64}
OF_THE_TEXT = {"input_ids", "attention_mask", "position_ids"}


def head_size(folder: Path) -> int:
    """The head size, which onnxruntime-genai leaves symbolic in the graph and writes in a file; 0 without that file."""
    config = folder / "genai_config.json"
    return int(read_json(config)["model"]["decoder"]["head_size"]) if config.is_file() else 0


class OnnxFolder:
    """Runs a model one ``step`` after another. Its state is found by pairing the other inputs and outputs in order."""

    def __init__(self, folder: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        try:
            self.session = onnxruntime.InferenceSession(
                folder / "model.onnx", options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors have no common class
            raise UserError(f"{folder / 'model.onnx'}: onnxruntime cannot load it: {error}") from None
        self.inputs = {value.name: value for value in self.session.get_inputs()}
        outputs = [value.name for value in self.session.get_outputs()]
        kept = [name for name in self.inputs if name not in OF_THE_TEXT]
        presents = [name for name in outputs if name != "logits"]
        if "logits" not in outputs or len(kept) != len(presents):
            raise UserError(f"{folder / 'model.onnx'}: has {len(kept)} states as inputs and {len(presents)} as outputs")
        self.pairs = dict(zip(kept, presents, strict=True))
        self.head_size = head_size(folder)
        self.restart()

    def restart(self) -> None:
        """Forget all tokens."""
        self.seen = 0
        self.state = {name: self._empty(name) for name in self.pairs}

    def _empty(self, name: str) -> np.ndarray:
        """A state before the first token: one text, no past; sizes that the graph or its config fixes are kept."""
        value = self.inputs[name]
        sizes = [int(size) if str(size).isdigit() else 0 for size in value.shape]
        return np.zeros([1, *sizes[1:-1], sizes[-1] or self.head_size], TYPES[value.type])

    def step(self, ids: Sequence[int]) -> np.ndarray:
        """Logits [len(ids), V] after each of the next tokens."""
        total = self.seen + len(ids)
        text = {
            "input_ids": np.array([ids], np.int64),
            "attention_mask": np.ones((1, total), np.int64),
            "position_ids": np.arange(self.seen, total, dtype=np.int64)[None],
        }
        feeds = {name: value for name, value in text.items() if name in self.inputs}
        logits, *states = self.session.run(["logits", *self.pairs.values()], {**feeds, **self.state})
        self.state = dict(zip(self.pairs, states, strict=True))
        self.seen = total
        result: np.ndarray = logits[0].astype(np.float32)
        return result
