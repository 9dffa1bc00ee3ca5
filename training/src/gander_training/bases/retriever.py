"""The sentence embedder that a pool ships for the retrieval strategy: all-MiniLM-L6-v2, with weights in eight bits.

Documents are embedded with the same file that embeds prompts at run time. Only weights are rounded: integer products
saturate on some processors (AVX2 without VNNI), which would then choose other experts.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
from gander_routing.errors import UserError
from gander_routing.retrieval import MAX_PIECES
from onnx import NodeProto, TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

from gander_training.files import whole_folder

SMALLEST = 4096  # elements; rounding smaller matrices saves nothing


def round_weights(model: onnx.ModelProto) -> None:
    """Store the matrices of ``model`` in eight bits; the arithmetic stays float32."""
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer if len(tensor.dims) == 2}
    places = {"MatMul": (1, _product), "Gather": (0, _look_up)}
    nodes: list[NodeProto] = []
    for node in graph.node:
        place, rounded = places.get(node.op_type, (0, None))
        weight = weights.get(node.input[place]) if rounded and len(node.input) > place else None
        if rounded is None or weight is None or np.prod(weight.dims) < SMALLEST:
            nodes.append(node)
            continue
        graph.initializer.remove(weight)
        made, tensors = rounded(node, numpy_helper.to_array(weight))
        nodes += made
        graph.initializer.extend(tensors)
    del graph.node[:]
    graph.node.extend(nodes)


def _product(node: NodeProto, weight: np.ndarray) -> tuple[list[NodeProto], list[TensorProto]]:
    """u @ W for W [in, out] with one scale per column. onnxruntime converts W to float32 once, on loading the graph."""
    name = node.input[1]
    tensors = _codes(name, weight, axis=0)
    return [*_widened([tensor.name for tensor in tensors], name), node], tensors


def _look_up(node: NodeProto, table: np.ndarray) -> tuple[list[NodeProto], list[TensorProto]]:
    """Rows of a table [rows, d] with one scale; only rows that are read become float32.

    A scale for each row would hardly be more accurate, and its codes take 3 MB more in a package.
    """
    out = node.output[0]
    codes, scale = _codes(node.input[0], table, axis=None)
    read = f"{out}_codes"
    gather = helper.make_node("Gather", [codes.name, node.input[1]], [read], read)
    return [gather, *_widened([read, scale.name], out)], [codes, scale]


def _widened(rounded: list[str], out: str) -> list[NodeProto]:
    """``out`` in float32: codes times scales."""
    wide = [f"{name}_wide" for name in rounded]
    casts = [
        helper.make_node("Cast", [name], [as_float], as_float, to=TensorProto.FLOAT)
        for name, as_float in zip(rounded, wide, strict=True)
    ]
    return [*casts, helper.make_node("Mul", wide, [out], f"{out}_widened")]


def _codes(name: str, weight: np.ndarray, axis: int | None) -> list[TensorProto]:
    """int8 codes and half-precision scales, over ``axis``, which keeps length 1; None gives one scale for all."""
    scales = (np.abs(weight).max(axis, keepdims=True) / 127).clip(np.finfo(np.float16).tiny).astype(np.float16)
    codes = np.round(weight / scales.astype(np.float32)).clip(-127, 127).astype(np.int8)
    return [numpy_helper.from_array(codes, f"{name}_codes"), numpy_helper.from_array(scales, f"{name}_scales")]


def export_retriever(source: Path, target: Path) -> None:
    """Export a sentence-transformers folder of a BERT-like encoder to ONNX with weights in eight bits."""
    from optimum.exporters.onnx import main_export

    if not (source / "config.json").is_file():
        raise UserError(f"{source / 'config.json'}: no such file")
    with whole_folder(target) as folder, tempfile.TemporaryDirectory() as scratch:
        main_export(str(source), scratch, task="feature-extraction", library_name="transformers", do_validation=False)
        model = onnx.load(Path(scratch) / "model.onnx")
        round_weights(model)
        onnx.save(model, folder / "model.onnx")
        tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_PIECES)
        tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
