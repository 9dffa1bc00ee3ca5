"""The tiny base in the forms of other exporters, to test how modules are found in a graph.

All compute the tiny base's logits, except ``matmulnbits`` and ``half``, whose weights are rounded:

=============== ==========================================================================================
``dynamo``      ``torch.onnx.export(dynamo=True)``: opaque names, the module's path in ``metadata_props``
``matmulnbits`` ONNX Runtime's 4-bit quantiser: ``MatMulNBits``, node scopes kept
``gemm``        ``Reshape`` → ``Gemm`` → ``Reshape`` with node scopes; layer 0 ``transB=1`` without bias, layer 1
                ``transB=0`` with a bias of zeros
``initializer`` opaque node names, the weight named like the parameter: layer 0 [d_out, d_in] behind a
                ``Transpose``, layer 1 [d_in, d_out] straight into the ``MatMul``
``packed``      q, k and v in one ``MatMul``, whose output is split
``optimised``   ``dynamo`` as ONNX Runtime's optimiser saves it: names no longer identify modules
``half``        float16 throughout, inputs and outputs too
=============== ==========================================================================================
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from gander_training.quiet import quiet
from gander_training.tiny.pool import HEADS, HIDDEN, KV_HEADS, LAYERS, SEED, build_model, module_paths

BLOCK = 16


def past_names(prefix: str) -> list[str]:
    """Names ``past_key_values.0.key`` and so on, in the order of the inputs."""
    return [f"{prefix}.{layer}.{part}" for layer in range(LAYERS) for part in ("key", "value")]


def with_flat_cache(model: Any) -> Any:
    """``model`` with a forward that takes and returns keys and values as plain tensors, which exporters need."""
    from transformers import LlamaForCausalLM
    from transformers.cache_utils import DynamicCache

    class Flat(LlamaForCausalLM):
        def forward(self, input_ids: Any, attention_mask: Any, position_ids: Any, past_key_values: Any) -> Any:
            out = super().forward(
                input_ids=input_ids,
                attention_mask=attention_mask,
                position_ids=position_ids,
                past_key_values=DynamicCache.from_legacy_cache(past_key_values),
                use_cache=True,
            )
            present = out.past_key_values.to_legacy_cache()
            return (out.logits, *(tensor for layer in present for tensor in layer))

    # The exporter writes the class's name into the file, where it must not depend on how this module was started.
    Flat.__module__, Flat.__qualname__ = LlamaForCausalLM.__module__, LlamaForCausalLM.__qualname__
    model.__class__ = Flat
    model.config._attn_implementation = "eager"
    return model


def dynamo(_: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """The base from torch.onnx's newer exporter."""
    model = with_flat_cache(build_model(seed))
    batch_size, new, past = 2, 3, 4  # 0 and 1 would become constants

    def state() -> torch.Tensor:  # the same tensor given twice would become one input
        return torch.zeros(batch_size, KV_HEADS, past, HIDDEN // HEADS)

    arguments = (
        torch.ones(batch_size, new, dtype=torch.long),
        torch.ones(batch_size, past + new, dtype=torch.long),
        torch.arange(past, past + new).expand(batch_size, new),
        tuple((state(), state()) for _ in range(LAYERS)),
    )
    dim = torch.export.Dim
    batch, sequence, before, total = dim("batch"), dim("sequence"), dim("past_sequence"), dim("total_sequence")
    kept = {0: batch, 2: before}
    shapes = (
        {0: batch, 1: sequence},
        {0: batch, 1: total},
        {0: batch, 1: sequence},
        tuple((kept, kept) for _ in range(LAYERS)),
    )
    with quiet():
        program = torch.onnx.export(
            model,
            arguments,
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=["input_ids", "attention_mask", "position_ids", *past_names("past_key_values")],
            output_names=["logits", *past_names("present")],
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx returned no model")
    return without_traces(program.model_proto)


def without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` without torch.onnx's debugging data: stack traces, which contain local paths, and the traced source."""
    for node in model.graph.node:
        kept = [entry for entry in node.metadata_props if not entry.key.endswith(("stack_trace", "fx_node"))]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    return model


def matmulnbits(base: onnx.ModelProto, _: int) -> onnx.ModelProto:
    """The base with its linear layers in four bits: asymmetric, blocks of 16, packed zero points."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    with quiet():
        quantizer = MatMulNBitsQuantizer(base, bits=4, block_size=BLOCK, is_symmetric=False)
        quantizer.process()
    result: onnx.ModelProto = quantizer.model.model
    return result


def linear_nodes(model: onnx.ModelProto) -> dict[str, onnx.NodeProto]:
    """The MatMul of every adapted module, by the module's path."""
    by_name = {node.name: node for node in model.graph.node}
    # torch's scopes keep the dot of a ModuleList: /model/layers.0/self_attn/q_proj
    scopes = {path: "/" + re.sub(r"(?<!layers)\.", "/", path) for path in module_paths()}
    return {path: by_name[f"{scope}/MatMul"] for path, scope in scopes.items()}


def take_weight(model: onnx.ModelProto, name: str) -> np.ndarray:
    """Remove the initializer ``name`` from the graph; returns its value."""
    found = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    array = numpy_helper.to_array(found).copy()
    model.graph.initializer.remove(found)
    return array


def add_weight(model: onnx.ModelProto, name: str, value: np.ndarray) -> str:
    """Add an initializer; returns its name."""
    model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
    return name


def substitute(model: onnx.ModelProto, old: onnx.NodeProto, new: list[onnx.NodeProto]) -> None:
    """Replace ``old`` with ``new`` at the same position in the graph."""
    at = list(model.graph.node).index(old)
    model.graph.node.remove(old)
    for offset, node in enumerate(new):
        model.graph.node.insert(at + offset, node)


def gemm(base: onnx.ModelProto, _: int) -> onnx.ModelProto:
    """The base with each linear layer as a two-dimensional Gemm between reshapes."""
    for path, node in linear_nodes(base).items():
        weight = take_weight(base, node.input[1])
        name = node.input[1].replace("MatMul", "Gemm")
        transposed = ".layers.0." in path
        inputs = [add_weight(base, name, weight.T if transposed else weight)]
        if not transposed:
            inputs.append(add_weight(base, f"{path}.bias", np.zeros(weight.shape[1], np.float32)))
        substitute(base, node, gemm_nodes(base, node, inputs, weight.shape))
    return base


def gemm_nodes(
    base: onnx.ModelProto, node: onnx.NodeProto, weights: list[str], shape: tuple[int, ...]
) -> list[onnx.NodeProto]:
    """The nodes that replace ``node``, a MatMul of [batch, tokens, d_in] with a weight of ``shape`` [d_in, d_out]."""
    scope = node.name.rpartition("/")[0]
    x, y = node.input[0], node.output[0]

    def constant(index: int, *values: int) -> str:
        return add_weight(base, f"{scope}/Constant_{index}_output_0", np.array(values, np.int64))

    def make(kind: str, inputs: list[str], output: str = "", **attributes: Any) -> onnx.NodeProto:
        return helper.make_node(kind, inputs, [output or f"{scope}/{kind}_output_0"], f"{scope}/{kind}", **attributes)

    flat, start, end, last = constant(0, -1, shape[0]), constant(1, 0), constant(2, 2), constant(3, shape[1])
    flatten = make("Reshape", [x, flat])
    dims = make("Shape", [x])
    leading = make("Slice", [dims.output[0], start, end])
    target = make("Concat", [leading.output[0], last], axis=0)
    product = make("Gemm", [flatten.output[0], *weights], transB=int(len(weights) == 1))
    unflatten = make("Reshape", [product.output[0], target.output[0]], y)
    unflatten.name += "_1"
    return [dims, leading, target, flatten, product, unflatten]


def initializer(base: onnx.ModelProto, _: int) -> onnx.ModelProto:
    """The base with each weight named like its parameter, and no other names of modules."""
    for path, node in linear_nodes(base).items():
        weight = take_weight(base, node.input[1])
        name = f"{path}.weight"
        if ".layers.0." in path:
            add_weight(base, name, weight.T)
            transpose = helper.make_node("Transpose", [name], [f"{name}_transposed"], perm=[1, 0])
            matmul = helper.make_node("MatMul", [node.input[0], f"{name}_transposed"], list(node.output))
            substitute(base, node, [transpose, matmul])
        else:
            add_weight(base, name, weight)
            node.input[1] = name
    rename(base)
    return base


def packed(base: onnx.ModelProto, _: int) -> onnx.ModelProto:
    """The base with one product for q, k and v, which some exporters need for their attention operator."""
    nodes = linear_nodes(base)
    for layer in range(LAYERS):
        parts = [nodes[f"model.layers.{layer}.self_attn.{kind}_proj"] for kind in "qkv"]
        weights = [take_weight(base, node.input[1]) for node in parts]
        scope = f"/model/layers.{layer}/self_attn/qkv_proj"
        weight = add_weight(base, f"model.layers.{layer}.attn.qkv_proj.MatMul.weight", np.concatenate(weights, axis=1))
        widths = add_weight(base, f"{scope}/widths", np.array([w.shape[1] for w in weights], np.int64))
        whole = f"{scope}/MatMul_output_0"
        product = helper.make_node("MatMul", [parts[0].input[0], weight], [whole], f"{scope}/MatMul")
        outputs = [node.output[0] for node in parts]
        split = helper.make_node("Split", [whole, widths], outputs, f"{scope}/Split", axis=-1)
        substitute(base, parts[0], [product, split])
        for node in parts[1:]:
            base.graph.node.remove(node)
    return base


def optimised(base: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """``dynamo`` after ONNX Runtime's optimiser, at the level that does not depend on the processor."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(Path(folder, "model.onnx"))
        source = dynamo(base, seed).SerializeToString()
        onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def half(base: onnx.ModelProto, _: int) -> onnx.ModelProto:
    """The base as ONNX Runtime's tools convert it."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with quiet():
        result: onnx.ModelProto = convert_float_to_float16(base, keep_io_types=False)
    return result


def rename(model: onnx.ModelProto) -> None:
    """Give every node and every value inside the graph an opaque name."""
    fixed = {value.name for value in [*model.graph.input, *model.graph.output, *model.graph.initializer]}
    names: dict[str, str] = {}
    for index, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{index}"
        for output in node.output:
            if output and output not in fixed:
                names[output] = str(index) if len(node.output) == 1 else f"{index}_{len(names)}"
    for node in model.graph.node:
        for values in (node.input, node.output):
            values[:] = [names.get(value, value) for value in values]
    del model.graph.value_info[:]


VARIANTS: dict[str, Callable[[onnx.ModelProto, int], onnx.ModelProto]] = {
    "dynamo": dynamo,
    "matmulnbits": matmulnbits,
    "gemm": gemm,
    "initializer": initializer,
    "packed": packed,
    "optimised": optimised,
    "half": half,
}


def write_variant(name: str, base: Path, folder: Path, seed: int = SEED) -> None:
    """Write the form ``name`` of the model at ``base`` to ``folder/model.onnx``."""
    folder.mkdir(parents=True, exist_ok=True)
    model = VARIANTS[name](onnx.load(base), seed)
    onnx.checker.check_model(model)
    (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))


def write_bases(base: Path, folder: Path, seed: int = SEED) -> None:
    """Write every form of the model at ``base`` into ``folder``."""
    for name in VARIANTS:
        write_variant(name, base, folder / name, seed)
