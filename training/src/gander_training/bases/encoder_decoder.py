"""An encoder-decoder base: from a T5 in a Hugging Face folder to optimum's three ONNX files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import onnx
import torch
from gander_routing.encoder_decoder import ENCODER, PARTS, require_t5, with_scopes
from gander_routing.errors import UserError
from gander_routing.graph import module_of, parse, values
from onnx import helper, numpy_helper
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSeq2SeqLM, PreTrainedModel

from gander_training.bases.onnx_weights import CONTRIB, EXTERNAL_FROM, External, nbits_node, nbits_parts
from gander_training.bases.quantise import quantise
from gander_training.bases.source import load_pair_source
from gander_training.files import whole_folder
from gander_training.quiet import quiet

DATA = "model.data"
BLOCK = 32  # weights that share a scale


def outline(folder: Path) -> PreTrainedModel:
    """The T5 that ``config.json`` describes, with shapes but without weights, so that it takes no memory."""
    require_t5(folder)
    with torch.device("meta"):
        model: PreTrainedModel = AutoModelForSeq2SeqLM.from_config(AutoConfig.from_pretrained(folder))
    return model


def unchanged(model: PreTrainedModel) -> None:
    """Do nothing: the default for ``change`` in ``export_pair``."""


def products(model: PreTrainedModel) -> set[str]:
    """Every linear layer except the head and those whose rows cannot be divided into blocks."""
    head = model.get_output_embeddings()
    return {
        name
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and layer is not head and layer.in_features % BLOCK == 0
    }


def floats(_model: PreTrainedModel) -> set[str]:
    """No layer at all."""
    return set()


def export_pair(
    source: Path,
    target: Path,
    change: Callable[[PreTrainedModel], None] = unchanged,
    layers: Callable[[PreTrainedModel], set[str]] = floats,
) -> None:
    """Write ``target`` (a pool's ``base``) after ``change`` of the model, with ``layers`` rounded to four bits."""
    from optimum.exporters.onnx import main_export

    model, tokenizer = load_pair_source(source)
    change(model)
    # Next to the target, because on many systems /tmp is in memory and too small for gigabytes.
    with whole_folder(target) as folder, tempfile.TemporaryDirectory(prefix=".", dir=target.parent) as scratch:
        plain, exported = Path(scratch) / "hf", Path(scratch) / "onnx"
        model.save_pretrained(plain)
        tokenizer.save_pretrained(plain)
        rounded = with_scopes(layers(model))
        del model
        with quiet():
            main_export(
                str(plain), exported, task="text2text-generation-with-past", do_validation=False, no_post_process=True
            )
        write_sharing([exported / file for file in PARTS.values()], folder, rounded)
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
            shutil.copy(plain / name, folder)


def round_products(model: onnx.ModelProto, modules: set[str]) -> None:
    """Replace the products of ``modules`` with four-bit ones."""
    graph = model.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        module = module_of(node)
        weight = tensors.get(node.input[1]) if node.op_type == "MatMul" and module in modules else None
        if weight is None:
            continue
        rounded = quantise(torch.from_numpy(numpy_helper.to_array(weight).T.copy()), None, BLOCK)
        parts = nbits_parts(f"{module}.weight", rounded)
        graph.initializer.remove(weight)
        graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in parts.items())
        node.CopyFrom(nbits_node(node, rounded, list(parts)))
    if modules and not any(entry.domain == CONTRIB for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid(CONTRIB, 1))


def write_sharing(graphs: list[Path], folder: Path, rounded: set[str]) -> None:
    """Copy graphs with all weights in one data file, where both decoders share theirs; ``rounded`` in four bits."""
    external = External(folder)
    for path in graphs:
        model = onnx.load(path)
        round_products(model, rounded)
        kept = []
        for tensor in model.graph.initializer:
            data = numpy_helper.to_array(tensor).tobytes()
            if len(data) < EXTERNAL_FROM:
                kept.append(tensor)
                continue
            kept.append(external.tensor(tensor.name, tensor.data_type, tensor.dims, external.once(DATA, data)))
        del model.graph.initializer[:]
        model.graph.initializer.extend(kept)
        (folder / path.name).write_bytes(model.SerializeToString())


def shipped_table(folder: Path) -> Tensor:
    """The embedding in a pool's ``base`` folder."""
    path = folder / PARTS["encoder"]
    for tensor in parse(path).graph.initializer:
        if tensor.name == "embed_tokens.weight":
            return torch.from_numpy(values(path, tensor))
    raise UserError(f"{path}: has no embedding")


def placed(folder: Path) -> set[str]:
    """The module paths that the graphs in a pool's ``base`` folder compute."""
    encoder, *decoders = (parse(folder / file).graph for file in PARTS.values())
    modules = {ENCODER + module_of(node) for node in encoder.node}
    return modules.union(module_of(node) for decoder in decoders for node in decoder.node)
