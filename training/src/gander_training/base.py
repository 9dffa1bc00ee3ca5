"""The base model: Hugging Face or GGUF in, quantised ONNX out, and back again as shipped."""

from __future__ import annotations

import copy
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import transformers
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper
from safetensors import SafetensorError
from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
from torch import Tensor, nn
from tqdm import tqdm
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from .distil import fit_scales
from .errors import UserError
from .files import read_json, whole_folder
from .onnx_weights import CONTRIB, External, embedding_node, nbits_node
from .quantise import Quantised, quantise, quantise_symmetric, unpack_nibbles
from .text import pack

# The seven linear kinds of a Llama block; those that share an input share its second moments.
SHARED_INPUT = {"k_proj": "q_proj", "v_proj": "q_proj", "up_proj": "gate_proj"}
HEAD_BLOCK = 64
EXTERNAL_FROM = 1024  # bytes; smaller tensors stay in the graph file


@dataclass(frozen=True)
class ExportOptions:
    """``wide`` names the kinds quantised in blocks of 64; all others use blocks of 32."""

    wide: tuple[str, ...] = ("gate_proj", "up_proj")
    calibration_windows: int = 48
    fit_steps: int = 60
    seed: int = 0


# ---------------------------------------------------------------- reading a source


def _repair_gguf_tokenizer(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """SmolLM's pre-tokenizer, which transformers does not restore from a GGUF, and a leading document separator.

    The separator gives the first token of a text something to be predicted from, and takes up the attention that
    models of this kind put on their first position.
    """
    inner = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    inner.decoder = decoders.ByteLevel()
    state = json.loads(inner.to_str())
    state["model"]["byte_fallback"] = False
    inner = Tokenizer.from_str(json.dumps(state))
    lead = "<|endoftext|>"
    inner.post_processor = processors.TemplateProcessing(
        single=f"{lead} $A", pair=f"{lead} $A $B", special_tokens=[(lead, inner.token_to_id(lead))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token=lead,
        eos_token="<|im_end|>",
        unk_token=lead,
        pad_token="<|im_end|>",
        chat_template=tokenizer.chat_template,
        model_max_length=8192,
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )


def load_source(source: Path, dtype: torch.dtype = torch.float32) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """A causal language model and its fast tokenizer from a Hugging Face directory or a GGUF file."""
    if source.suffix == ".gguf":
        if not source.is_file():
            raise UserError(f"{source}: no such file")
        try:
            model = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=dtype)
            tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
        except (OSError, ValueError) as error:
            raise UserError(f"{source}: cannot be loaded ({str(error).splitlines()[0]})") from None
        if _is_smollm_gguf(source):
            tokenizer = _repair_gguf_tokenizer(tokenizer)
        return model.eval(), tokenizer
    _require_causal(source)
    return load_folder(AutoModelForCausalLM, source, dtype)


def load_folder(auto: Any, source: Path, dtype: torch.dtype) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """A model, by transformers' class ``auto``, and its fast tokenizer from a Hugging Face directory."""
    try:
        loaded: Any = auto.from_pretrained(source, dtype=dtype, local_files_only=True, output_loading_info=True)
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise UserError(f"{source}: cannot be loaded ({str(error).splitlines()[0]})") from None
    model, report = loaded
    if report["missing_keys"]:
        raise UserError(f"{source}: the checkpoint has no weight {sorted(report['missing_keys'])[0]}")
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise UserError(f"{source}: has no fast tokenizer (tokenizer.json)")
    _require_finite(source, model)
    return model.eval(), tokenizer


def _is_smollm_gguf(source: Path) -> bool:
    from gguf import GGUFReader

    field = GGUFReader(source).fields.get("tokenizer.ggml.pre")
    return field is not None and field.contents() == "smollm"


def _require_causal(source: Path) -> None:
    config = read_json(source / "config.json")
    names = config.get("architectures") or []
    if not any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in names):
        raise UserError(f"{source / 'config.json'}: not a causal language model (architectures: {names})")


def _require_finite(source: Path, model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            raise UserError(f"{source}: weight {name} holds NaN or infinity")


def load_base(path: Path, dtype: torch.dtype = torch.float32) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The base to train on: a pool's, as shipped, or any Hugging Face directory or GGUF file."""
    if not (path / "pool.json").is_file():
        return load_source(path, dtype)
    model, tokenizer = load_shipped(path, dtype)
    if model.config.is_encoder_decoder:
        raise UserError(f"{path}: its base is an encoder-decoder, which this command does not take")
    return model, tokenizer


# ---------------------------------------------------------------- names in the graph


def module_of(node: onnx.NodeProto) -> str:
    """``/model/layers.0/mlp/up_proj/MatMul`` is in the scope of module ``model.layers.0.mlp.up_proj``."""
    return ".".join(node.name.strip("/").split("/")[:-1])


def _linear_modules(model: nn.Module) -> dict[str, nn.Linear]:
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Linear)}


# ---------------------------------------------------------------- loading what ships


def load_shipped(pool: Path, dtype: torch.dtype = torch.float32) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The pool's ONNX base as a transformers model with the dequantised weights, in eval mode, and its tokenizer.

    ``dtype`` rounds the dequantised weights; float32 is what the runtime computes with.
    """
    manifest = read_json(pool / "pool.json").get("base", {})
    if isinstance(manifest.get("model"), dict):
        from .encoder_decoder import load_shipped_pair

        return load_shipped_pair(pool, manifest, dtype)
    graph_path = pool / manifest.get("model", "base/model.onnx")
    config_path = pool / manifest.get("config", "base/config.json")
    tokenizer_path = pool / manifest.get("tokenizer", "base/tokenizer.json")
    for path in (graph_path, config_path, tokenizer_path):
        if not path.is_file():
            raise UserError(f"{path}: no such file")
    _require_causal(config_path.parent)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(config_path.parent)).float()
    is_tied = read_json(config_path).get("tie_word_embeddings", model.config.tie_word_embeddings)
    fill(model, read_weights(graph_path, set(_linear_modules(model))), graph_path, _tied_head(model) if is_tied else {})
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_path.parent, local_files_only=True)
    return model.to(dtype).eval(), tokenizer


def _tied_head(model: PreTrainedModel) -> dict[str, str]:
    """The head's weight, by the name of the embedding that it shares."""
    names = {module: name for name, module in model.named_modules()}
    return {f"{names[model.get_output_embeddings()]}.weight": f"{names[model.get_input_embeddings()]}.weight"}


def fill(model: PreTrainedModel, weights: Mapping[str, Tensor], source: Path, shared: Mapping[str, str]) -> None:
    """Give ``model`` the weights read from ``source``, whatever its version of transformers ties.

    ``shared``: weights that may be missing, by the name of the one that they share. Raises ``UserError`` where a weight is
    missing, has another shape, is no number, or is not what the model holds in the end.
    """
    given: dict[str, Tensor] = {}
    for name, value in model.state_dict().items():
        found = weights.get(name, weights.get(shared.get(name, "")))
        if found is None:
            raise UserError(f"{source}: no weight for {name}")
        if found.shape != value.shape:
            raise UserError(f"{source}: {name} has shape {list(found.shape)}, config.json says {list(value.shape)}")
        given[name] = found
    _untie(model, given)
    model.load_state_dict(given)
    for name, value in model.state_dict().items():
        # Numbers that are none are told below.
        if not torch.allclose(value, given[name].to(value), rtol=0, atol=0, equal_nan=True):
            raise UserError(
                f"{source}: transformers {transformers.__version__} puts another weight in the place of {name}"
            )
    _require_finite(source, model)


def _untie(model: PreTrainedModel, given: Mapping[str, Tensor]) -> None:
    """Give parameters that are one in ``model``, but have different numbers in ``given``, a place each.

    transformers 5 ties the head of every T5 to the embedding, whatever config.json says.
    """
    first: dict[nn.Parameter, str] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        one = first.setdefault(parameter, name)
        if not (given[one] is given[name] or torch.equal(given[one], given[name])):
            path, _, own = name.rpartition(".")
            setattr(model.get_submodule(path), own, nn.Parameter(torch.empty_like(parameter)))


def parse(path: Path) -> onnx.ModelProto:
    try:
        return onnx.load(path, load_external_data=False)
    except DecodeError:
        raise UserError(f"{path}: not an ONNX file") from None


def values(path: Path, tensor: TensorProto) -> np.ndarray:
    """A tensor's values, from the graph file or the data file beside it.

    onnx's own loader refuses data files with hard links, which package managers and build scripts make.
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
        raise UserError(f"{file}: no such file (it holds {tensor.name})") from None
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
            # The exporter stores equal norm weights once.
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


def _read_nbits(node: onnx.NodeProto, array) -> Tensor:  # type: ignore[no-untyped-def]
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


# ---------------------------------------------------------------- quantising


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
        for name, layer in _linear_modules(model).items()
        if name != "lm_head" and name.rpartition(".")[2] not in SHARED_INPUT
    ]
    with torch.no_grad():
        for part in windows.split(4):
            model.model(input_ids=part, use_cache=False)
    for hook in hooks:
        hook.remove()
    return sums


def _round_layers(model: PreTrainedModel, moments: dict[str, Tensor], wide: tuple[str, ...]) -> dict[str, Quantised]:
    """Quantise layer by layer; those that share an input go through the search as one matrix."""
    groups: dict[str, dict[str, Tensor]] = {}
    for name, layer in _linear_modules(model).items():
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


# ---------------------------------------------------------------- writing the graph


def _without_unread(
    nodes: list[onnx.NodeProto], graph: onnx.GraphProto, dropped: set[str]
) -> tuple[list[onnx.NodeProto], list[TensorProto]]:
    """Leave out what produced a replaced weight (the exporter transposes a tied table) and the weights themselves."""
    read = {name for node in nodes for name in node.input}
    dead = [node for node in nodes if node.output[0] in dropped and node.output[0] not in read]
    for node in dead:
        nodes.remove(node)
        dropped.update(node.input)
    read = {name for node in nodes for name in node.input}
    return nodes, [tensor for tensor in graph.initializer if tensor.name in read or tensor.name not in dropped]


def write_quantised(source: Path, folder: Path, layers: dict[str, Quantised], head: Quantised) -> None:
    """Rewrite an exported float graph with quantised linear layers and a shared 8-bit embedding and head.

    The bytes of embedding and head are stored once: two initializers of different shape name the same range.
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

    ``options`` None keeps float weights. ``layers`` are weights quantised earlier.
    """
    from .encoder_decoder import export_pair, floats, is_encoder_decoder, products

    if is_encoder_decoder(source):
        if texts:
            raise UserError(f"{source}: an encoder-decoder is rounded without --calibration")
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
