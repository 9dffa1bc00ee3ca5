"""Reads the weights of an exported graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from gander_routing.errors import UserError
from gander_routing.quantised import Quantised, unpack_nibbles


def module_of(node: onnx.NodeProto) -> str:
    """``/model/layers.0/mlp/up_proj/MatMul`` is in the scope of module ``model.layers.0.mlp.up_proj``."""
    return ".".join(node.name.strip("/").split("/")[:-1])


def parse(path: Path) -> onnx.ModelProto:
    """Parse a graph, without loading its external data files."""
    try:
        return onnx.load(path, load_external_data=False)
    except DecodeError:
        raise UserError(f"{path}: not an ONNX file") from None


def values(path: Path, tensor: TensorProto) -> NDArray[Any]:
    """A tensor's values, from the graph file or the data file beside it.

    onnx's own loader refuses data files with hard links, which package managers and build scripts create.
    """
    if tensor.data_location != TensorProto.EXTERNAL:
        return numpy_helper.to_array(tensor)
    place = {entry.key: entry.value for entry in tensor.external_data}
    file = path.parent / place["location"]
    if not file.resolve().is_relative_to(path.parent.resolve()):
        raise UserError(f"{path}: {tensor.name} is stored outside the folder: {place['location']}")
    kind = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    count = int(np.prod(tensor.dims))
    try:
        flat = np.fromfile(file, kind, count, offset=int(place.get("offset", 0)))
    except OSError:
        raise UserError(f"{file}: no such file (it should contain {tensor.name})") from None
    if len(flat) != count:
        raise UserError(f"{file}: too short for {tensor.name}")
    return flat.reshape(tuple(tensor.dims))


def read_weights(path: Path, linear: set[str]) -> dict[str, Tensor]:
    """Every weight of an exported graph by its Hugging Face name, dequantised to float32."""
    graph = parse(path).graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}

    def array(name: str) -> Tensor:
        return torch.from_numpy(values(path, tensors[name]).copy())

    weights = {
        name: array(name).float() for name, t in tensors.items() if name.endswith((".weight", ".bias")) and len(t.dims)
    }
    for node in graph.node:
        module = module_of(node)
        if node.op_type == "GatherBlockQuantized":
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            data, scales = array(node.input[0]), array(node.input[2])
            zeros = torch.full_like(scales, 2 ** (attributes["bits"] - 1))
            weights[f"{module}.weight"] = Quantised(
                data, scales, zeros, attributes["block_size"], attributes["bits"]
            ).weight()
        elif node.op_type == "Identity" and node.input[0] in tensors:
            # The exporter stores equal norm weights once, and refers to them by Identity.
            weights[node.output[0]] = array(node.input[0]).float()
        elif module not in linear:
            continue
        elif node.op_type == "MatMulNBits":
            weights[f"{module}.weight"] = _read_nbits(node, array)
        elif node.op_type == "MatMul" and node.input[1] in tensors:
            weights[f"{module}.weight"] = array(node.input[1]).float().T.contiguous()
        elif node.op_type == "Gemm" and node.input[1] in tensors:
            flipped = any(a.name == "transB" and a.i for a in node.attribute)
            weight = array(node.input[1]).float()
            weights[f"{module}.weight"] = weight if flipped else weight.T.contiguous()
    return weights


def _read_nbits(node: onnx.NodeProto, array: Callable[[str], Tensor]) -> Tensor:
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    bits, block, rows = attributes["bits"], attributes["block_size"], attributes["N"]
    columns = attributes["K"]
    packed, scales = array(node.input[1]), array(node.input[2]).float().view(rows, -1)
    blocks = scales.shape[1]
    codes = packed.view(rows, -1)
    codes = codes if bits == 8 else unpack_nibbles(codes, blocks * block)
    if len(node.input) > 3 and node.input[3]:
        zeros = array(node.input[3]).view(rows, -1)
        zeros = zeros if bits == 8 else unpack_nibbles(zeros, blocks)
    else:
        zeros = torch.full_like(scales, 2 ** (bits - 1))
    return Quantised(codes, scales, zeros.float(), block, bits).weight()[:, :columns].contiguous()
