"""Puts a quantised file's weights back into the model, so that PEFT can compute with them.

Weights of file and model are matched by similarity, because random matrices do not resemble each other by chance. So
this depends neither on how an exporter names or packs weights nor on the engine's own search.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from gander_routing.errors import UserError
from onnx import helper, numpy_helper
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from gander_training.reference.golden import as_half

ALIKE = 0.3  # distance relative to a row's length: about 0.1 after rounding to four bits, 1.4 to another weight


def put_back(model: nn.Module, file: Path) -> nn.Module:
    """Gives ``model`` the weights of ``file``. Raises ``UserError`` for a weight that matches none of the model's."""
    untie(model)
    layers = [layer for layer in model.modules() if isinstance(getattr(layer, "weight", None), Tensor)]
    matrices = [layer for layer in layers if layer.weight.ndim == 2]
    for name, looks_up, weight in file_weights(onnx.load(file)):
        # The file may pack several of the model's matrices into one, or split one that the model packs.
        rows = sum(place(layer, weight) for layer in matrices if isinstance(layer, nn.Embedding) == looks_up)
        if rows != weight.shape[0]:
            raise UserError(f"{name} of the file resembles no weight of the model")
    return model


def halved(model: nn.Module, _: Path) -> nn.Module:
    """``model`` with weights rounded as in a float16 file."""
    return as_half(model)


def untie(model: Any) -> None:
    """Give the head its own weight, because a file may round the head but not the embedding."""
    head = model.get_output_embeddings()
    head.weight = nn.Parameter(head.weight.detach().clone())


def file_weights(model: onnx.ModelProto) -> Iterator[tuple[str, bool, Tensor]]:
    """For each rounded weight: its node, whether that is a look-up, not a product, and the weight [rows, d_in], F32."""
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Reshape" and node.input[0] in tensors:
            tensors[node.output[0]] = tensors[node.input[0]]
    for node in model.graph.node:
        attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
        if node.op_type == "MatMulNBits":
            zeros = tensors[node.input[3]] if len(node.input) > 3 and node.input[3] else None
            yield node.name, False, dequantised(tensors[node.input[1]], tensors[node.input[2]], zeros, **attributes)
        elif node.op_type == "GatherBlockQuantized":
            scales = tensors[node.input[2]]
            sizes = {"N": scales.shape[0], "K": scales.shape[1] * attributes["block_size"]}
            zeros = tensors[node.input[3]] if len(node.input) > 3 else None
            yield node.name, True, dequantised(tensors[node.input[0]], scales, zeros, **sizes, **attributes)


def dequantised(
    codes: np.ndarray, scales: np.ndarray, zeros: np.ndarray | None = None, *, K: int, N: int, **attributes: int
) -> Tensor:
    """Unpacks onnxruntime's MatMulNBits: blocks along d_in, lower bits first, zero points packed row by row."""
    width, block = attributes.get("bits", 4), attributes["block_size"]
    blocks = -(-K // block)

    def unpacked(packed: np.ndarray, count: int) -> np.ndarray:
        rows = packed.view(np.uint8).reshape(N, -1)
        parts = [(rows >> shift) & (2**width - 1) for shift in range(0, 8, width)]
        return np.stack(parts, -1).reshape(N, -1)[:, :count]

    q = unpacked(codes, blocks * block).reshape(N, blocks, block).astype(np.float32)
    if zeros is None:
        zero = np.full((N, blocks, 1), 2 ** (width - 1), np.float32)
    elif zeros.dtype == np.uint8:
        zero = unpacked(zeros, blocks)[..., None].astype(np.float32)
    else:
        zero = zeros.reshape(N, blocks, 1).astype(np.float32)
    weight = (q - zero) * scales.reshape(N, blocks, 1).astype(np.float32)
    return torch.from_numpy(weight.reshape(N, -1)[:, :K].copy())


def place(layer: Any, found: Tensor) -> int:
    """Write the rows of ``found`` that match ``layer`` into it; returns how many."""
    own = layer.weight.data.T if isinstance(layer, Conv1D) else layer.weight.data
    if own.shape[1] != found.shape[1]:
        return 0
    nearest = torch.cdist(own, found)
    distance, row = nearest.min(1)
    alike = distance < ALIKE * own.norm(dim=1)
    own[alike] = found[row[alike]]
    return int(alike.sum())
