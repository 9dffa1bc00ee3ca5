"""Exports Hugging Face folders and GGUF files to quantised ONNX bases."""

from __future__ import annotations

import copy
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from gander_routing.errors import UserError
from gander_routing.fill import linear_modules
from gander_routing.graph import module_of
from gander_routing.quantised import Quantised
from onnx import TensorProto, helper
from torch import Tensor, nn
from tqdm import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from gander_training.bases.distil import fit_scales
from gander_training.bases.encoder_decoder import export_pair, floats, products
from gander_training.bases.onnx_weights import CONTRIB, External, embedding_node, nbits_node
from gander_training.bases.quantise import quantise, quantise_symmetric
from gander_training.bases.source import is_encoder_decoder, load_source
from gander_training.files import whole_folder
from gander_training.texts.windows import pack

# Kinds of linear layers in a Llama block that read the same input, and so share its second moments.
SHARED_INPUT = {"k_proj": "q_proj", "v_proj": "q_proj", "up_proj": "gate_proj"}
HEAD_BLOCK = 64


@dataclass(frozen=True)
class ExportOptions:
    """``wide`` names the kinds quantised in blocks of 64; all others use blocks of 32."""

    wide: tuple[str, ...] = ("gate_proj", "up_proj")
    calibration_windows: int = 48
    fit_steps: int = 60
    seed: int = 0


def _second_moments(model: PreTrainedModel, windows: Tensor) -> dict[str, Tensor]:
    """Sum of u uᵀ [d_in, d_in] over all tokens of ``windows`` for each distinct module input."""
    sums: dict[str, Tensor] = {}

    def collect(name: str):  # type: ignore[no-untyped-def]
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            rows = inputs[0].flatten(0, 1).float()
            sums[name] = sums.get(name, torch.zeros(())) + rows.T @ rows

        return hook

    hooks = [
        layer.register_forward_pre_hook(collect(name))
        for name, layer in linear_modules(model).items()
        if name != "lm_head" and name.rpartition(".")[2] not in SHARED_INPUT
    ]
    with torch.no_grad():
        for part in windows.split(4):
            model.model(input_ids=part, use_cache=False)
    for hook in hooks:
        hook.remove()
    return sums


def _round_layers(model: PreTrainedModel, moments: dict[str, Tensor], wide: tuple[str, ...]) -> dict[str, Quantised]:
    """Quantise layer by layer; layers that share an input are searched as one matrix."""
    groups: dict[str, dict[str, Tensor]] = {}
    for name, layer in linear_modules(model).items():
        if name != "lm_head":
            parent, _, kind = name.rpartition(".")
            groups.setdefault(f"{parent}.{SHARED_INPUT.get(kind, kind)}", {})[name] = layer.weight.detach()
    result = {}
    for key, members in tqdm(groups.items(), desc="round weights"):
        block = 64 if key.rpartition(".")[2] in wide else 32
        whole = quantise(torch.cat(list(members.values())), moments.get(key), block)
        rows = [weight.shape[0] for weight in members.values()]
        parts = zip(whole.codes.split(rows), whole.scales.split(rows), whole.zeros.split(rows), strict=True)
        for name, (codes, scales, zeros) in zip(members, parts, strict=True):
            result[name] = Quantised(codes, scales, zeros, block, whole.bits)
    return result


def quantise_model(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    texts: list[str] | None,
    options: ExportOptions,
) -> dict[str, Quantised]:
    """Four bits for every linear layer of a Llama-like model; calibrated and fitted if ``texts`` are given."""
    if not texts:
        return _round_layers(model, {}, options.wide)
    teacher = copy.deepcopy(model)
    nn.Module.to(teacher, torch.bfloat16)
    windows = pack(tokenizer, texts, 512, options.seed)[: options.calibration_windows]
    result = _round_layers(model, _second_moments(teacher, windows), options.wide)
    if not options.fit_steps:
        return result
    parts = pack(tokenizer, texts, 256, options.seed + 1)[: options.fit_steps * 4]
    return fit_scales(teacher, copy.deepcopy(teacher), result, parts)


def _without_unread(
    nodes: list[onnx.NodeProto], graph: onnx.GraphProto, dropped: set[str]
) -> tuple[list[onnx.NodeProto], list[TensorProto]]:
    """Remove replaced weights and the nodes that made them (the exporter transposes a tied table)."""
    read = {name for node in nodes for name in node.input}
    dead = [node for node in nodes if node.output[0] in dropped and node.output[0] not in read]
    for node in dead:
        nodes.remove(node)
        dropped.update(node.input)
    read = {name for node in nodes for name in node.input}
    return nodes, [tensor for tensor in graph.initializer if tensor.name in read or tensor.name not in dropped]


def write_quantised(source: Path, folder: Path, layers: dict[str, Quantised], head: Quantised) -> None:
    """Rewrite an exported float graph with quantised linear layers and a shared 8-bit embedding and head.

    Embedding and head are stored once: two initializers of different shapes refer to the same bytes.
    """
    model = onnx.load(source)
    graph = model.graph
    external = External(folder)
    made: list[TensorProto] = []
    dropped: set[str] = set()
    rows, columns = head.codes.shape
    blocks = head.scales.shape[1]
    codes_at = external.add("model.embedding.bin", head.codes.numpy().tobytes())
    scales_at = external.add("model.embedding.bin", head.scales.numpy().astype(np.float32).tobytes())
    nodes = []
    for node in graph.node:
        module = module_of(node)
        if node.op_type == "Gather" and module.endswith("embed_tokens"):
            dropped.add(node.input[0])
            made += [
                external.tensor(f"{module}.weight_Q8", TensorProto.UINT8, (rows, columns), codes_at),
                external.tensor(f"{module}.weight_scales", TensorProto.FLOAT, (rows, blocks), scales_at),
            ]
            node = embedding_node(node, head, f"{module}.weight_Q8", f"{module}.weight_scales")
        elif node.op_type == "MatMul" and module == "lm_head":
            dropped.add(node.input[1])
            made += [
                external.tensor("lm_head.weight_Q8", TensorProto.UINT8, (rows, blocks, head.block), codes_at),
                external.tensor("lm_head.weight_scales", TensorProto.FLOAT, (rows, blocks), scales_at),
            ]
            node = nbits_node(node, head, ["lm_head.weight_Q8", "lm_head.weight_scales"])
        elif node.op_type == "MatMul" and module in layers:
            q = layers[module]
            dropped.add(node.input[1])
            parts = external.four_bits("model.layers.bin", f"{module}.weight", q)
            made += parts
            node = nbits_node(node, q, [part.name for part in parts])
        nodes.append(node)
    nodes, kept = _without_unread(nodes, graph, dropped)
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept + made)
    if not any(entry.domain == CONTRIB for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid(CONTRIB, 1))
    (folder / source.name).write_bytes(model.SerializeToString())


def export_base(
    source: Path,
    target: Path,
    texts: list[str] | None = None,
    options: ExportOptions | None = ExportOptions(),  # noqa: B008 (frozen)
    layers: dict[str, Quantised] | None = None,
) -> None:
    """Write ``target`` (a pool's ``base`` folder): ONNX graph, data files, config and tokenizer.

    ``options`` None keeps float weights. ``layers`` are weights that were quantised earlier.
    """
    if is_encoder_decoder(source):
        if texts:
            raise UserError(f"{source}: --calibration is not supported for an encoder-decoder")
        return export_pair(source, target, layers=floats if options is None else products)
    from optimum.exporters.onnx import main_export

    model, tokenizer = load_source(source)
    with whole_folder(target) as folder, tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / "hf"
        model.save_pretrained(plain)
        tokenizer.save_pretrained(plain)
        exported = Path(scratch) / "onnx"
        main_export(str(plain), exported, task="text-generation-with-past", do_validation=False)
        if options is None:
            for path in exported.glob("model.onnx*"):
                shutil.copy(path, folder)
        else:
            if layers is None:
                layers = quantise_model(model, tokenizer, texts, options)
            head = quantise_symmetric(model.get_output_embeddings().weight.detach(), HEAD_BLOCK)
            write_quantised(exported / "model.onnx", folder, layers, head)
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
            shutil.copy(plain / name, folder)
