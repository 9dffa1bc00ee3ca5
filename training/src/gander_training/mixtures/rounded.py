"""Reads back the weights that onnxruntime-genai's builder rounded, by parameter of transformers' model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from gander_routing.quantised import Quantised, unpack_nibbles
from onnx import NodeProto, helper, numpy_helper
from torch import Tensor


@dataclass(frozen=True)
class Names:
    """Maps the builder's names to transformers': ``modules`` for linear layers, ``experts`` for a layer's experts.

    ``transposed``: whether the model stores experts as [in, out]. ``gate_up`` converts the file's alternating rows of
    gate and up to the model's order.
    """

    modules: dict[str, str]
    experts: str
    transposed: bool
    gate_up: Callable[[Tensor], Tensor]


def one_after_the_other(rows: Tensor) -> Tensor:
    """Reorder alternating rows to all gates, then all ups."""
    return torch.cat([rows[:, 0::2], rows[:, 1::2]], dim=1)


LFM2 = Names(
    {
        "attn.o_proj": "self_attn.out_proj",
        "mlp.gate_proj": "feed_forward.w1",
        "mlp.up_proj": "feed_forward.w3",
        "mlp.down_proj": "feed_forward.w2",
    },
    "feed_forward.experts",
    False,
    one_after_the_other,
)
GPT_OSS = Names({"attn.o_proj": "self_attn.o_proj", "moe.router": "mlp.router"}, "mlp.experts", True, lambda rows: rows)
ATTENTION = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")


def dequantised(codes: Tensor, scales: Tensor, bits: int, block: int) -> Tensor:
    """The weight [.., out, in] of symmetric codes [.., out, in packed]."""
    *leading, rows, packed = codes.shape
    whole = (codes if bits == 8 else unpack_nibbles(codes, 2 * packed)).flatten(0, -2)
    blocks = scales.reshape(len(whole), -1).float()
    weight = Quantised(whole, blocks, torch.full_like(blocks, 2 ** (bits - 1)), block, bits).weight()
    return weight.view(*leading, rows, -1)


def rounded_weights(folder: Path, names: Names) -> dict[str, Tensor]:
    """All rounded weights of ``folder``."""
    graph = onnx.load(folder / "model.onnx").graph
    arrays = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
    heads = next(attributes(node) for node in graph.node if node.op_type == "GroupQueryAttention")
    weights: dict[str, Tensor] = {}
    for node in graph.node:
        if node.op_type == "MatMulNBits":
            weights |= linear(node, arrays, names, heads)
        elif node.op_type == "QMoE":
            weights |= experts(node, arrays, names)
    return weights


def attributes(node: NodeProto) -> dict[str, int]:
    """A node's attributes by name."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def linear(node: NodeProto, arrays: dict[str, Tensor], names: Names, heads: dict[str, int]) -> dict[str, Tensor]:
    """The weight of a product, or the three of an attention's packed product."""
    of = attributes(node)
    codes = arrays[node.input[1]]
    weight = dequantised(codes.flatten(1), arrays[node.input[2]], of["bits"], of["block_size"])[:, : of["K"]]
    module = node.input[1].partition(".MatMul")[0]
    scope, name = module[: len("model.layers.0")], module[len("model.layers.0.") :]
    if name == "attn.qkv_proj":
        queries, keys = heads["num_heads"], heads["kv_num_heads"]
        size = len(weight) // (queries + 2 * keys)
        parts = weight.split([queries * size, keys * size, keys * size])
        return {f"{scope}.{part}.weight": value for part, value in zip(ATTENTION, parts, strict=True)}
    return {f"{scope}.{names.modules.get(name, name)}.weight" if name else f"{module}.weight": weight}


def experts(node: NodeProto, arrays: dict[str, Tensor], names: Names) -> dict[str, Tensor]:
    """The stacked weights of a layer's experts."""
    of = attributes(node)
    scope = node.input[2].partition(".moe.")[0]
    gate_up, down = (
        dequantised(arrays[node.input[at]], arrays[node.input[at + 1]], of["expert_weight_bits"], of["block_size"])
        for at in (2, 5)
    )
    stacks = {"gate_up_proj": names.gate_up(gate_up), "down_proj": down}
    return {
        f"{scope}.{names.experts}.{name}": stack.mT.contiguous() if names.transposed else stack
        for name, stack in stacks.items()
    }
