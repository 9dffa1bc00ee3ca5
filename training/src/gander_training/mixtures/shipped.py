"""Golden traces of a mixture that ships, from transformers' own forward pass with the weights in its ONNX folder.

``python -m gander_training.mixtures.shipped models/gosling-moe`` writes ``test/fixtures/golden/gosling-moe`` again. It
needs only the folder: the rounded weights are read back from there, so that traces and folder always agree.
"""

from __future__ import annotations

import argparse
import ast
import sys
from pathlib import Path
from typing import Any

import onnx
import torch
from gander_routing.errors import UserError
from gander_routing.files import read_json
from gander_routing.quantised import Quantised, unpack_nibbles
from onnx import NodeProto, helper, numpy_helper
from torch import Tensor

from gander_training.files import whole_folder
from gander_training.mixtures.export import TEXT, check, require_same
from gander_training.mixtures.golden import moe_trace
from gander_training.reference.cases import TEXTS, TINY_TEXT
from gander_training.reference.trace import write_trace

CASES = {**TEXTS, "marks": TINY_TEXT}
EMBEDDING, HEAD = "embedding.weight", "head.weight"  # int4's names for the eight-bit weights
SCOPES = "pkg.torch.onnx.name_scopes"


def quantised(codes: Tensor, scales: Tensor, zeros: Tensor | None, bits: int) -> Tensor:
    """The weight [out, in] of codes [out, in packed], scales [out, blocks] and zero points [out, blocks packed]."""
    blocks = scales.shape[1]
    if bits == 8:
        whole, zero = codes, torch.full_like(scales, 128)
    else:
        whole = unpack_nibbles(codes, 2 * codes.shape[1])
        zero = torch.full_like(scales, 8) if zeros is None else unpack_nibbles(zeros, blocks)
    return Quantised(whole, scales, zero, whole.shape[1] // blocks, bits).weight()


def linear(node: NodeProto, arrays: dict[str, Tensor]) -> Tensor:
    """The weight [out, in] of a MatMulNBits."""
    bits = next(helper.get_attribute_value(attribute) for attribute in node.attribute if attribute.name == "bits")
    zeros = arrays[node.input[3]] if len(node.input) > 3 else None
    return quantised(arrays[node.input[1]].flatten(1), arrays[node.input[2]], zeros, bits)


def module_of(node: NodeProto) -> str:
    """The module that a node was exported from."""
    scopes = next((entry.value for entry in node.metadata_props if entry.key == SCOPES), "['', '']")
    return str(ast.literal_eval(scopes)[-2])


def held_weights(folder: Path) -> dict[str, Tensor]:
    """All weights of a folder of ``export-moe --precision int4``, by parameter; stacks of experts [E, out, in]."""
    graph = onnx.load(folder / "model.onnx").graph
    arrays = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
    weights: dict[str, Tensor] = {}
    stacks: dict[str, dict[int, Tensor]] = {}
    for node in graph.node:
        if node.op_type == "MatMulNBits":
            name = node.input[1].rpartition("_")[0]
            stack, _, expert = name.rpartition(".")
            if expert.isdigit():
                stacks.setdefault(stack, {})[int(expert)] = linear(node, arrays)
            else:
                weights[name] = linear(node, arrays)
        elif node.op_type == "GatherBlockQuantized":
            weights[EMBEDDING] = quantised(arrays[node.input[0]], arrays[node.input[2]], None, 8)
        else:
            # Named by the node's module, because the exporter keeps only one copy, under one name, of equal weights.
            for name in node.input:
                if name.endswith(".weight") and name in arrays:
                    weights[f"{module_of(node)}.weight"] = arrays[name]
    return weights | {name: torch.stack([part[i] for i in range(len(part))]) for name, part in stacks.items()}


def held_model(folder: Path) -> Any:
    """The model of ``folder`` in PyTorch, float32. Raises ``UserError`` if onnxruntime computes something else."""
    from tokenizers import Tokenizer
    from transformers import AutoConfig, AutoModelForCausalLM

    file = folder / "config.json"
    if read_json(file).get("model_type") != "mixtral":
        raise UserError(f"{file}: only the weights of a Mixtral can be read back")
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder)).float().eval()
    weights = held_weights(folder)
    for ours, module in ((EMBEDDING, model.get_input_embeddings()), (HEAD, model.get_output_embeddings())):
        if ours not in weights:
            raise UserError(f"{folder / 'model.onnx'}: {ours} is not in eight bits (export-moe --precision int4)")
        with torch.no_grad():
            module.weight.copy_(weights.pop(ours))
    tables = {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}
    wanted = {name for name, value in model.named_parameters() if id(value) not in tables}
    if wanted != set(weights):
        raise UserError(f"{folder / 'model.onnx'}: {sorted(wanted ^ set(weights))[0]} is not in both graph and model")
    model.load_state_dict(weights, strict=False)
    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(TEXT).ids
    require_same(check(folder, model, ids), "the folder")
    return model


def margin(tensors: dict[str, Tensor]) -> float:
    """The smallest gap between one ranked expert's score and the next one's, down to the first that was not chosen."""
    k = tensors["block.0.chosen"].shape[-1]
    best = tensors["block.0.score"].sort(dim=-1, descending=True).values[..., : k + 1]
    return float((best[..., :-1] - best[..., 1:]).min())


def write_shipped(folder: Path, out: Path) -> None:
    """Write the golden traces of ``folder`` into ``out``."""
    model = held_model(folder)
    with whole_folder(out) as target:
        for name, text in CASES.items():
            tensors, header = moe_trace(model, folder, text)
            write_trace(target / f"{name}.safetensors", tensors, header)
            told = f"{len(tensors['sequence.0.ids'])} tokens, smallest gap between scores {margin(tensors):.1e}"
            print(f"{name}: {told}", file=sys.stderr)


def main(argv: list[str] | None = None) -> int:
    """Entry point of ``python -m gander_training.mixtures.shipped``."""
    parser = argparse.ArgumentParser(prog="gander_training.mixtures.shipped", description=__doc__)
    parser.add_argument("model", type=Path, help="a folder from export-moe --precision int4")
    parser.add_argument("--out", type=Path, help="default: the folder's name in test/fixtures/golden")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)  # so that sums are reproducible
    try:
        write_shipped(args.model, args.out or Path("test/fixtures/golden", args.model.resolve().name))
    except (UserError, OSError) as error:
        print(f"shipped: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
