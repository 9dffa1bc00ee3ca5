"""The weights that onnxruntime-genai's builder rounded, read back from what it wrote, by parameter of transformers' model.

For LFM2's mixture of experts, by its builder's names.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from onnx import NodeProto, helper, numpy_helper
from torch import Tensor

from gander_training.quantise import Quantised, unpack_nibbles

MODULES = {
    "attn.o_proj": "self_attn.out_proj",
    "mlp.gate_proj": "feed_forward.w1",
    "mlp.up_proj": "feed_forward.w3",
    "mlp.down_proj": "feed_forward.w2",
}
ATTENTION = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")


def dequantised(codes: Tensor, scales: Tensor, bits: int, block: int) -> Tensor:
    """Symmetric codes [.., out, in packed] as numbers [.., out, in]."""
    *leading, rows, packed = codes.shape
    whole = (codes if bits == 8 else unpack_nibbles(codes, 2 * packed)).flatten(0, -2)
    blocks = scales.reshape(len(whole), -1).float()
    weight = Quantised(whole, blocks, torch.full_like(blocks, 2 ** (bits - 1)), block, bits).weight()
    return weight.view(*leading, rows, -1)


def lfm2_weights(folder: Path) -> dict[str, Tensor]:
    """All rounded weights of ``folder``."""
    graph = onnx.load(folder / "model.onnx").graph
    arrays = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
    weights: dict[str, Tensor] = {}
    for node in graph.node:
        if node.op_type == "MatMulNBits":
            weights |= linear(node, arrays)
        elif node.op_type == "QMoE":
            weights |= experts(node, arrays)
    return weights


def attributes(node: NodeProto) -> dict[str, int]:
    """Its attributes by name."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def linear(node: NodeProto, arrays: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weight of a product, or the three of an attention's one."""
    of = attributes(node)
    codes = arrays[node.input[1]]
    weight = dequantised(codes.flatten(1), arrays[node.input[2]], of["bits"], of["block_size"])[:, : of["K"]]
    module = node.input[1].partition(".MatMul")[0]
    scope, name = module[: len("model.layers.0")], module[len("model.layers.0.") :]
    if name == "attn.qkv_proj":
        parts = weight.split(len(weight) // 3)  # as many heads of keys and values as of queries
        return {f"{scope}.{part}.weight": value for part, value in zip(ATTENTION, parts, strict=True)}
    return {f"{scope}.{MODULES.get(name, name)}.weight" if name else f"{module}.weight": weight}


def experts(node: NodeProto, arrays: dict[str, Tensor]) -> dict[str, Tensor]:
    """The stacked weights of a layer's experts; gate and up lie row by row in turn there, one after the other here."""
    of = attributes(node)
    scope = node.input[2].partition(".moe.")[0]
    gate_up, down = (
        dequantised(arrays[node.input[at]], arrays[node.input[at + 1]], of["expert_weight_bits"], of["block_size"])
        for at in (2, 5)
    )
    return {
        f"{scope}.feed_forward.experts.gate_up_proj": torch.cat([gate_up[:, 0::2], gate_up[:, 1::2]], dim=1),
        f"{scope}.feed_forward.experts.down_proj": down,
    }
