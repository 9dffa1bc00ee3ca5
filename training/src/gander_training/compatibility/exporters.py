"""Exporters, which turn a model into an ONNX file with past keys and values."""

from __future__ import annotations

import contextlib
import inspect
import runpy
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from gander_training.quiet import quiet


@dataclass(frozen=True)
class Exporter:
    """``write(source, target, precision)`` exports a Hugging Face folder to ``target/model.onnx``."""

    name: str
    packages: tuple[str, ...]
    write: Callable[[Path, Path, str], None]
    # Kinds of file that the exporter writes itself, with its own name for each; others are made from its float32 file.
    kinds: dict[str, str] = field(default_factory=dict)

    def versions(self) -> dict[str, str] | None:
        """The version of each package, or None if one is not installed."""
        try:
            return {name: version(name) for name in self.packages}
        except PackageNotFoundError:
            return None


def optimum(source: Path, target: Path, _: str) -> None:
    """optimum-onnx, with its defaults."""
    from optimum.exporters.onnx import main_export

    main_export(str(source), str(target), task="text-generation-with-past", do_validation=False)


def dynamo(source: Path, target: Path, _: str) -> None:
    """torch.onnx's newer exporter, on the model with a flat list of keys and values."""
    model, names, arguments, axes = with_flat_cache(source)
    dims = {name: torch.export.Dim(name) for name in ("batch", "sequence", "total_sequence", "past_sequence")}
    shapes = [{axis: dims[name] for axis, name in given.items()} for given in axes.values()]
    program = torch.onnx.export(
        model,
        arguments,
        dynamo=True,
        dynamic_shapes={"arguments": tuple(shapes)},
        input_names=list(axes),
        output_names=names,
        external_data=False,
        verbose=False,
    )
    assert program is not None
    program.save(str(target / "model.onnx"))


def torchscript(source: Path, target: Path, _: str) -> None:
    """torch.onnx's older exporter, which traces and needs transformers' masks in optimum's form."""
    model, names, arguments, axes = with_flat_cache(source)
    with traceable():
        torch.onnx.export(
            model,
            arguments,
            str(target / "model.onnx"),
            dynamo=False,
            dynamic_axes={**axes, **{name: {0: "batch"} for name in names}},
            input_names=list(axes),
            output_names=names,
            opset_version=17,
        )


def genai(source: Path, target: Path, precision: str, extra: Sequence[str] = ()) -> None:
    """onnxruntime-genai's model builder for the CPU, run as a script; ``extra`` options are NAME=VALUE."""
    import onnxruntime_genai

    script = Path(onnxruntime_genai.__file__).parent / "models/builder.py"
    cache = target / "cache"
    options: list[Any] = ["-i", source, "-o", target, "-p", precision, "-e", "cpu", "-c", cache]
    if extra:
        options += ["--extra_options", *extra]
    before = sys.argv, sys.path[:]
    sys.argv = [str(script), *map(str, options)]
    sys.path.insert(0, str(script.parent))
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.argv, sys.path[:] = before
        shutil.rmtree(cache, ignore_errors=True)


def with_flat_cache(source: Path) -> tuple[Any, list[str], tuple[torch.Tensor, ...], dict[str, dict[int, str]]]:
    """The model with a forward of plain tensors, which torch.onnx needs.

    Returns the model, the names of its outputs, example inputs, and each input's dynamic axes by name.
    """
    from transformers import AutoModelForCausalLM
    from transformers.cache_utils import DynamicCache

    model = AutoModelForCausalLM.from_pretrained(source, attn_implementation="eager").eval()
    whole = type(model)
    named = ["input_ids", "attention_mask"]
    if "position_ids" in inspect.signature(whole.forward).parameters:
        named.append("position_ids")

    def forward(self: Any, *arguments: torch.Tensor) -> tuple[torch.Tensor, ...]:
        past = arguments[len(named) :]
        legacy: Any = tuple(zip(past[0::2], past[1::2], strict=True))
        cache = DynamicCache.from_legacy_cache(legacy)
        out = whole.forward(self, **dict(zip(named, arguments, strict=False)), past_key_values=cache, use_cache=True)
        present = out.past_key_values.to_legacy_cache()
        return (out.logits, *(tensor for layer in present for tensor in layer[:2]))

    batch, new, before = 2, 3, 4  # 0 and 1 would become constants
    with torch.no_grad():
        once = model(input_ids=torch.ones(1, before, dtype=torch.long), use_cache=True).past_key_values
    kept = [tensor.expand(batch, -1, -1, -1).clone() for layer in once for tensor in layer[:2]]
    model.__class__ = type(whole.__name__, (whole,), {"forward": forward, "__module__": whole.__module__})
    ids = torch.ones(batch, new, dtype=torch.long)
    mask = torch.ones(batch, before + new, dtype=torch.long)
    positions = torch.arange(before, before + new).expand(batch, new)
    parts = [f"{layer}.{part}" for layer in range(len(kept) // 2) for part in ("key", "value")]
    axes = {
        "input_ids": {0: "batch", 1: "sequence"},
        "attention_mask": {0: "batch", 1: "total_sequence"},
        "position_ids": {0: "batch", 1: "sequence"},
        **{f"past_key_values.{part}": {0: "batch", 2: "past_sequence"} for part in parts},
    }
    given = (ids, mask, positions)[: len(named)]
    wanted = {name: axis for name, axis in axes.items() if name in named or name.startswith("past")}
    return model, ["logits", *(f"present.{part}" for part in parts)], (*given, *kept), wanted


@contextlib.contextmanager
def traceable() -> Iterator[None]:
    """Make transformers' masks and cache traceable."""
    from optimum.exporters.onnx import model_patcher
    from transformers import cache_utils, masking_utils

    masks = masking_utils.ALL_MASK_ATTENTION_FUNCTIONS
    eager = masks["eager"]
    masks.register("eager", model_patcher.eager_mask_without_vmap)
    packed = model_patcher.find_packed_sequence_indices_patched
    try:
        with (
            mock.patch.object(cache_utils.DynamicLayer, "update", model_patcher.patched_dynamic_layer_update),
            mock.patch.object(masking_utils, "find_packed_sequence_indices", packed),
        ):
            yield
    finally:
        masks.register("eager", eager)


EXPORTERS = [
    Exporter("optimum", ("optimum-onnx", "torch"), optimum),
    Exporter("torch dynamo", ("torch", "onnxscript"), dynamo),
    Exporter("TorchScript", ("torch", "optimum-onnx"), torchscript),
    Exporter(
        "onnxruntime-genai",
        ("onnxruntime-genai",),
        genai,
        {"fp32": "fp32", "q4": "int4", "q8": "int8", "fp16": "fp16"},
    ),
]


def named(name: str) -> Exporter:
    """The exporter with this name."""
    return next(exporter for exporter in EXPORTERS if exporter.name == name)


def export(exporter: Exporter, source: Path, target: Path, precision: str = "fp32") -> None:
    """Write ``target/model.onnx``, without output on the terminal."""
    target.mkdir(parents=True)
    with quiet(), torch.no_grad():
        exporter.write(source, target, precision)
