"""Export a mixture of experts to an ONNX folder with transformers' own exporter, and compare it with its source."""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from gander_routing.adapted import CONFIG as ADAPTER
from gander_routing.adapted import merge_adapter, require_mergeable, require_plain
from gander_routing.errors import UserError
from gander_routing.files import read_json

from gander_training.files import whole_folder
from gander_training.quiet import quiet

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
BATCH, PAST, NEW = 2, 4, 3  # sizes of the example input; 0 and 1 would become constants
# Nats, mean over tokens and vocabulary. Another order of summation gives 1e-6; a different router, more than 0.01.
BOUND = 1e-3
TEXT = (
    "def mean(values):\n    return sum(values) / len(values)\n\n"
    "A router sends each token to a few of its experts. Which ones, it learns.\n"
    '<p class="note">caf\u00e9 \U0001f9a2</p>\nSELECT name, COUNT(*) FROM users GROUP BY name;\n'
)


def require_moe(source: Path) -> None:
    """Refuse a folder whose model cannot be exported, before its weights are read."""
    import transformers
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if int(transformers.__version__.split(".")[0]) < 5:
        raise UserError("export-moe needs transformers 5, in an environment of its own: pip install -e '.[moe]'")
    file = source / "config.json"
    if (source / ADAPTER).is_file() and not file.exists():
        base = read_json(source / ADAPTER).get("base_model_name_or_path") or "another model"
        raise UserError(f"{source} is a PEFT adapter for {base}: name that model, and this folder with --adapter")
    config = read_json(file)
    kind = config.get("model_type")
    if kind not in CONFIG_MAPPING:
        if "auto_map" in config:
            raise UserError(f"{file}: {kind} needs the code in its repository (trust_remote_code), which is not run")
        raise UserError(f"{file}: transformers {transformers.__version__} has no architecture {kind!r}")
    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(source))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file}: {kind} is not a causal language model ({str(error).splitlines()[0]})") from None
    if not has_experts(model):
        raise UserError(f"{file}: {kind} has no experts: a dense model, which export-base exports")


def has_experts(model: torch.nn.Module) -> bool:
    """Whether the model has modules that are named experts, as in all of transformers' architectures."""
    return any(
        name.rpartition(".")[2] == "experts" or "expert" in type(module).__name__.lower()
        for name, module in model.named_modules()
    )


# Layers with a state other than keys and values, with which exporters and runtimes have trouble.
STATEFUL = re.compile(r"(mamba|deltanet|linearattention|lightningattention)(?!\w*layer$)", re.IGNORECASE)


@contextmanager
def named(model: Any, what: str) -> Iterator[None]:
    """Turn errors of exporters and runtimes into a ``UserError`` that names the architecture and its unusual layers."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        kinds = sorted({type(module).__name__ for module in model.modules() if STATEFUL.search(type(module).__name__)})
        layers = f", whose layers of {', '.join(kinds)} keep states of their own," if kinds else ""
        said = (str(error).strip() or type(error).__name__).splitlines()[0].strip()
        raise UserError(f"{model.config.model_type}{layers} is not supported: {what} ({said})") from error


def plain_past(model: Any) -> Any:
    """Keys and values of some tokens, all of them kept despite a sliding window, which the mask already applies."""
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    with torch.no_grad():
        past = model(input_ids=torch.ones(BATCH, PAST, dtype=torch.long), use_cache=True).past_key_values
    for index, layer in enumerate(past.layers):
        if isinstance(layer, DynamicSlidingWindowLayer):
            past.layers[index] = DynamicLayer()
            past.layers[index].update(layer.keys, layer.values)
    return past


def write_float32(model: Any, folder: Path) -> None:
    """Write ``model.onnx``, ``model.onnx.data``, ``config.json`` and ``export.json`` with transformers' exporter."""
    from transformers.exporters import OnnxConfig, OnnxExporter

    inputs = {
        "input_ids": torch.ones(BATCH, NEW, dtype=torch.long),
        "attention_mask": torch.ones(BATCH, PAST + NEW, dtype=torch.long),
        "past_key_values": plain_past(model),
        "use_cache": True,
    }
    with quiet():
        OnnxExporter().export(model, inputs, OnnxConfig(dynamic=True)).save_pretrained(folder)
    path = folder / "model.onnx"
    graph = onnx.load(path, load_external_data=False)
    without_notes(graph)
    path.write_bytes(graph.SerializeToString(deterministic=True))


# torch.onnx's notes on the origin of a node. Stack traces contain local paths; the others repeat the name scopes at
# three times the length.
NOTES = ("stack_trace", "fx_node", "namespace", "class_hierarchy")


def without_notes(model: onnx.ModelProto) -> None:
    """Remove what torch.onnx adds for debugging, in place."""
    for node in model.graph.node:
        kept = [entry for entry in node.metadata_props if not entry.key.endswith(NOTES)]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)


@dataclass(frozen=True)
class Checked:
    """Largest and mean difference of the folder's log-probabilities from the model's, in nats; and its loss."""

    largest: float
    mean: float
    loss: float


def check(folder: Path, model: Any, ids: list[int]) -> Checked:
    """Compare the folder with ``model``: all tokens at once, and in two steps, with the state carried over."""
    from gander_training.mixtures.folder import OnnxFolder

    with torch.no_grad():
        wanted = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].float().log_softmax(-1).numpy()
    exported = OnnxFolder(folder)
    half = len(ids) // 2
    largest, mean, loss = 0.0, 0.0, 0.0
    for parts in ([ids], [ids[:half], ids[half:]]):
        exported.restart()
        logits = np.concatenate([exported.step(part) for part in parts])
        got = torch.from_numpy(logits).log_softmax(-1).numpy()
        off = np.abs(got - wanted)
        if not np.isfinite(off).all():
            raise UserError(f"{folder / 'model.onnx'}: its results are not finite numbers")
        largest, mean = max(largest, float(off.max())), max(mean, float(off.mean()))
        loss = -float(got[np.arange(len(ids) - 1), ids[1:]].mean())
    return Checked(largest, mean, loss)


def require_same(checked: Checked, what: str) -> None:
    """Refuse an export that computes something else."""
    if checked.mean > BOUND:
        raise UserError(
            f"{what} does not compute what the model computes: log-probabilities differ by {checked.mean:.2g} nats on "
            f"average, by {checked.largest:.2g} at most; nothing was written"
        )


def with_weights(model: Any, weights: dict[str, torch.Tensor]) -> Any:
    """A copy of ``model`` with the given weights, by parameter name."""
    result = copy.deepcopy(model)
    result.load_state_dict(weights, strict=False)
    result.tie_weights()
    return result


def with_adapter(model: Any, adapter: Path, ids: list[int]) -> tuple[Any, str]:
    """``model`` with the PEFT adapter merged into it, and a line about that."""
    with quiet():
        merged = merge_adapter(model, adapter, torch.tensor([ids]))
    told = read_json(adapter / ADAPTER).get("base_model_name_or_path")
    made = f", made for {told}," if told else ""
    return merged.model, (
        f"adapter: {adapter.resolve().name}{made} merged into {merged.matrices} weights: off by at most {merged.apart:.1e} "
        f"nats from PEFT's own pass, and by {merged.moved:.1e} from the model without it"
    )


def export_moe(source: Path, target: Path, precision: str, adapter: Path | None = None) -> list[str]:
    """Write ``target``, with the PEFT adapter merged if one is given; returns the results of the checks, line by line."""
    from gander_training.bases.source import load_source
    from gander_training.mixtures.int4 import write_int4

    require_moe(source)
    if adapter is not None:
        require_mergeable(adapter)
        require_plain(source / "config.json", read_json(source / "config.json"))
    with quiet():
        model, tokenizer = load_source(source, torch.float32)
    ids = tokenizer(TEXT).input_ids[: model.config.max_position_embeddings]
    told = []
    if adapter is not None:
        model, line = with_adapter(model, adapter, ids)
        told.append(line)
    with whole_folder(target) as folder:
        with named(model, "transformers' exporter cannot write it"):
            write_float32(model, folder)
        with named(model, "the graph that transformers' exporter writes does not run in onnxruntime"):
            exact = check(folder, model, ids)
        require_same(exact, "the exported graph")
        told += [f"float32: off by at most {exact.largest:.1e} nats on {len(ids)} tokens, in one step and in two"]
        if precision == "int4":
            rounded = check(folder, with_weights(model, write_int4(folder, model)), ids)
            require_same(rounded, "the graph in four bits")
            told += [
                f"int4: off by at most {rounded.largest:.1e} nats from the model with the same rounded weights",
                f"loss on the text: {exact.loss:.4f} nats per token in float32, {rounded.loss:.4f} in int4",
            ]
        for name in TOKENIZER_FILES:
            if (source / name).is_file():
                shutil.copy(source / name, folder)
    return told
