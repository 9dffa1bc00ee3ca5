"""Rounds an exported mixture of experts: linear layers to four bits, embedding and head to eight, routers not at all.

Initializers are matched to parameters by contents, because exporters fold, transpose and rename, but do not round.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from gander_routing.quantised import Quantised
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor

from gander_training.bases.onnx_weights import CONTRIB, EXTERNAL_FROM, External, embedding_node, nbits_node
from gander_training.bases.quantise import quantise, quantise_symmetric
from gander_training.mixtures.golden import routers

BLOCKS = (64, 32, 16)  # the widest that divides a row
LEAST = 16  # layers with fewer outputs (a shared expert's gate) are not worth rounding
DATA = "model.onnx.data"


def block_of(columns: int) -> int | None:
    """The size of blocks for rows of ``columns``, or None if no size divides them."""
    return next((block for block in BLOCKS if columns % block == 0), None)


def digest(values: np.ndarray) -> tuple[tuple[int, ...], bytes]:
    """Shape and hash of an array's contents."""
    return values.shape, hashlib.sha256(np.ascontiguousarray(values).tobytes()).digest()


@dataclass(frozen=True)
class Parameter:
    """A parameter of the model, and whether a graph stores it with its last two axes swapped."""

    name: str
    transposed: bool


def parameters(model: Any) -> dict[tuple[tuple[int, ...], bytes], Parameter]:
    """All matrices and stacks of matrices except routers, by their contents, as they are and transposed."""
    found: dict[tuple[tuple[int, ...], bytes], Parameter] = {}
    choosers = set(routers(model))
    for name, value in model.state_dict().items():
        if value.dim() in (2, 3) and name.rpartition(".")[0] not in choosers:
            array = value.float().numpy()
            found.setdefault(digest(array), Parameter(name, False))
            found.setdefault(digest(np.swapaxes(array, -1, -2)), Parameter(name, True))
    return found


def exchanges_last(node: NodeProto) -> bool:
    """Whether a Transpose swaps only the last two axes."""
    perm = list(next(attribute.ints for attribute in node.attribute if attribute.name == "perm"))
    return perm == [*range(len(perm) - 2), len(perm) - 1, len(perm) - 2]


@dataclass
class Rounding:
    """The graph being rewritten, its arrays, the parameters that they match, and what has been rounded."""

    graph: GraphProto
    known: dict[tuple[tuple[int, ...], bytes], Parameter]
    external: External
    head: set[str]  # the head's parameter, and the embedding's if they are tied: in eight bits
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)  # as rounded, by parameter
    made: dict[str, TensorProto] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.arrays = {t.name: numpy_helper.to_array(t) for t in self.graph.initializer if len(t.dims) in (2, 3)}
        for node in self.graph.node:  # the exporter does not fold the transpose of a shared or large weight
            if node.op_type == "Transpose" and node.input[0] in self.arrays and exchanges_last(node):
                self.arrays[node.output[0]] = np.swapaxes(self.arrays[node.input[0]], -1, -2)

    def parameter(self, name: str) -> Parameter | None:
        """The parameter that the initializer ``name`` contains."""
        return self.known.get(digest(self.arrays[name])) if name in self.arrays else None

    def keep(self, parameter: Parameter, rounded: Tensor) -> None:
        """Record the weight that the graph now computes with: ``rounded`` [.., out, in] in the parameter's layout."""
        self.weights[parameter.name] = rounded if parameter.transposed else rounded.mT.contiguous()

    def four_bits(self, node: NodeProto, name: str, q: Quantised) -> NodeProto:
        """``node``, a product, with the weight ``q``."""
        parts = self.external.four_bits(DATA, name, q)
        self.made.update({part.name: part for part in parts})
        return nbits_node(node, q, [part.name for part in parts])

    def eight_bits(self, name: str, q: Quantised, shape: Iterable[int]) -> list[str]:
        """Add initializers for eight-bit codes in ``shape`` and for their scales; returns their names."""
        codes = self.external.once(DATA, q.codes.numpy().tobytes())
        scales = self.external.once(DATA, q.scales.float().numpy().tobytes())
        parts = (
            External.tensor(f"{name}_Q8", TensorProto.UINT8, shape, codes),
            External.tensor(f"{name}_scales", TensorProto.FLOAT, q.scales.shape, scales),
        )
        self.made.update({part.name: part for part in parts})
        return [part.name for part in parts]


def embedding(rounding: Rounding, node: NodeProto) -> NodeProto | None:
    """The look-up in an eight-bit table that replaces ``node``, if it is the embedding."""
    parameter = rounding.parameter(node.input[0])
    if parameter is None or parameter.transposed or len(rounding.arrays[node.input[0]].shape) != 2:
        return None
    table = torch.from_numpy(rounding.arrays[node.input[0]].copy())
    block = block_of(table.shape[1])
    if block is None:
        return None
    q = quantise_symmetric(table, block)
    rounding.weights[parameter.name] = q.weight()
    codes, scales = rounding.eight_bits("embedding.weight", q, q.codes.shape)
    return embedding_node(node, q, codes, scales)


def linear(rounding: Rounding, node: NodeProto) -> NodeProto | None:
    """The quantised product that replaces ``node``, if it has one weight."""
    name = node.input[1]
    parameter = rounding.parameter(name)
    if parameter is None or rounding.arrays[name].ndim != 2:
        return None
    weight = torch.from_numpy(rounding.arrays[name].T.copy())
    block = block_of(weight.shape[1])
    if block is None or weight.shape[0] < LEAST:
        return None
    if parameter.name in rounding.head:
        q = quantise_symmetric(weight, block)
        rounding.keep(parameter, q.weight())
        rows, columns = q.codes.shape
        return nbits_node(node, q, rounding.eight_bits("head.weight", q, (rows, columns // block, block)))
    q = quantise(weight, None, block)
    rounding.keep(parameter, q.weight())
    return rounding.four_bits(node, parameter.name, q)


def experts(rounding: Rounding, split: NodeProto, readers: dict[str, list[NodeProto]]) -> dict[str, NodeProto]:
    """The quantised products, by output, for a stack of weights that is split into one per expert."""
    name = split.input[0]
    parameter = rounding.parameter(name)
    if parameter is None or rounding.arrays[name].ndim != 3:
        return {}
    stack = torch.from_numpy(rounding.arrays[name].copy()).mT  # [experts, out, in]
    count, rows, columns = stack.shape
    block = block_of(columns)
    if block is None or len(split.output) != count:
        return {}
    products = [product_of(output, readers) for output in split.output]
    if not all(products):
        return {}
    q = quantise(stack.reshape(-1, columns), None, block)
    rounding.keep(parameter, q.weight().view(stack.shape))
    result = {}
    for expert, nodes in enumerate(products):
        part = slice(expert * rows, (expert + 1) * rows)
        one = Quantised(q.codes[part], q.scales[part], q.zeros[part], block, q.bits)
        for node in nodes:
            result[node.output[0]] = rounding.four_bits(node, f"{parameter.name}.{expert}", one)
    return result


def product_of(value: str, readers: dict[str, list[NodeProto]]) -> list[NodeProto]:
    """The products whose weight is ``value`` without its first axis."""
    squeezed = [node.output[0] for node in readers.get(value, []) if node.op_type == "Squeeze"]
    products = [node for name in squeezed for node in readers.get(name, [])]
    return products if all(node.op_type == "MatMul" and node.input[1] in squeezed for node in products) else []


def prune(graph: GraphProto) -> None:
    """Remove, in place, nodes and initializers that nothing reads any more."""
    outputs = {value.name for value in graph.output}
    while True:
        read = {name for node in graph.node for name in node.input} | outputs
        kept = [node for node in graph.node if read.intersection(node.output)]
        if len(kept) == len(graph.node):
            break
        del graph.node[:]
        graph.node.extend(kept)
    tensors = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(tensors)


def round_nodes(rounding: Rounding) -> None:
    """Replace float operators with quantised ones."""
    readers: dict[str, list[NodeProto]] = {}
    for node in rounding.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    new: dict[str, NodeProto] = {}
    for node in rounding.graph.node:
        made = None
        if node.op_type == "Gather":
            made = embedding(rounding, node)
        elif node.op_type == "MatMul":
            made = linear(rounding, node)
        elif node.op_type == "Split":
            new.update(experts(rounding, node, readers))
        if made is not None:
            new[made.output[0]] = made
    nodes = [new.get(node.output[0], node) for node in rounding.graph.node]
    del rounding.graph.node[:]
    rounding.graph.node.extend(nodes)


def write_int4(folder: Path, model: Any) -> dict[str, Tensor]:
    """Rewrite ``folder``, an export of ``model``; returns the weights that it now computes with, by parameter."""
    path = folder / "model.onnx"
    whole = onnx.load(path)
    (folder / DATA).unlink(missing_ok=True)
    head = model.get_output_embeddings().weight
    names = {name for name, value in model.named_parameters(remove_duplicate=False) if value is head}
    rounding = Rounding(whole.graph, parameters(model), External(folder), names)
    round_nodes(rounding)
    read = {name for node in whole.graph.node for name in node.input}
    whole.graph.initializer.extend(part for name, part in rounding.made.items() if name in read)
    prune(whole.graph)
    for tensor in whole.graph.initializer:
        if len(tensor.raw_data) >= EXTERNAL_FROM:
            place = rounding.external.add(DATA, tensor.raw_data)
            tensor.CopyFrom(External.tensor(tensor.name, tensor.data_type, tensor.dims, place))
    if not any(entry.domain == CONTRIB for entry in whole.opset_import):
        whole.opset_import.append(helper.make_opsetid(CONTRIB, 1))
    path.write_bytes(whole.SerializeToString(deterministic=True))
    return rounding.weights
