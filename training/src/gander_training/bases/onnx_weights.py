"""Quantised weights in ONNX: initializers in data files, and the operators that read them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from gander_routing.quantised import Quantised, pack_nibbles
from onnx import TensorProto, helper

CONTRIB = "com.microsoft"
EXTERNAL_FROM = 1024  # bytes; smaller tensors stay in the graph file


class External:
    """Appends tensors to data files and points initializers at them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._places: dict[bytes, tuple[str, int, int]] = {}

    def add(self, file: str, data: bytes) -> tuple[str, int, int]:
        """Append ``data``; returns file, offset and length."""
        path = self.folder / file
        offset = path.stat().st_size if path.exists() else 0
        padding = -offset % 64
        with path.open("ab") as out:
            out.write(b"\0" * padding + data)
        return file, offset + padding, len(data)

    def once(self, file: str, data: bytes) -> tuple[str, int, int]:
        """As ``add``, but data that was added in this way before is not stored again."""
        key = hashlib.sha256(data).digest()
        if key not in self._places:
            self._places[key] = self.add(file, data)
        return self._places[key]

    @staticmethod
    def tensor(name: str, kind: int, shape: Iterable[int], place: tuple[str, int, int]) -> TensorProto:
        """An initializer that refers to a place in a data file."""
        tensor = TensorProto(name=name, data_type=kind, dims=list(shape), data_location=TensorProto.EXTERNAL)
        for key, value in zip(("location", "offset", "length"), place, strict=True):
            tensor.external_data.add(key=key, value=str(value))
        return tensor

    def four_bits(self, file: str, name: str, q: Quantised) -> list[TensorProto]:
        """The inputs of ``nbits_node`` for four bits with zero points."""
        return [
            self.tensor(
                part, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape, self.add(file, value.tobytes())
            )
            for part, value in nbits_parts(name, q).items()
        ]


def nbits_parts(name: str, q: Quantised) -> dict[str, np.ndarray]:
    """The inputs of a MatMulNBits after the first, by name and in order."""
    parts = {
        "Q4": pack_nibbles(q.codes).view(q.codes.shape[0], -1, q.block // 2),
        "scales": q.scales.float(),
        "zero_points": pack_nibbles(q.zeros),
    }
    return {f"{name}_{suffix}": value.contiguous().numpy() for suffix, value in parts.items()}


def nbits_node(node: onnx.NodeProto, q: Quantised, inputs: list[str]) -> onnx.NodeProto:
    """The node that replaces the product ``node`` when its weight is quantised."""
    rows, columns = q.codes.shape
    return helper.make_node(
        "MatMulNBits",
        [node.input[0], *inputs],
        list(node.output),
        name=node.name,
        domain=CONTRIB,
        K=columns,
        N=rows,
        bits=q.bits,
        block_size=q.block,
    )


def embedding_node(node: onnx.NodeProto, q: Quantised, codes: str, scales: str) -> onnx.NodeProto:
    """The node that replaces the look-up ``node`` when its table is quantised to eight bits."""
    return helper.make_node(
        "GatherBlockQuantized",
        [codes, node.input[1], scales],
        list(node.output),
        name=node.name + "BlockQuantized",
        domain=CONTRIB,
        gather_axis=0,
        quantize_axis=1,
        block_size=q.block,
        bits=q.bits,
    )
