"""Kinds of ONNX file in use, made from the float32 file with the usual tools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx
from torch import nn

from gander_training.compatibility.rounded import halved, put_back


@dataclass(frozen=True)
class Kind:
    """``make(source, target)`` writes the file; ``weights(model, file)`` gives the model the file's rounded weights."""

    name: str
    make: Callable[[Path, Path], None]
    what: str
    weights: Callable[[nn.Module, Path], nn.Module] | None = None


def same(source: Path, target: Path) -> None:
    """The exporter's own file."""
    onnx.save(onnx.load(source), target)


def bits(count: int) -> Callable[[Path, Path], None]:
    """onnxruntime's weight quantiser: MatMulNBits, blocks of 32, asymmetric."""

    def make(source: Path, target: Path) -> None:
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

        quantizer = MatMulNBitsQuantizer(onnx.load(source), bits=count, block_size=32, is_symmetric=False)
        quantizer.process()
        onnx.save(quantizer.model.model, target)

    return make


def half(keep_io: bool) -> Callable[[Path, Path], None]:
    """onnxruntime's float16 converter; with ``keep_io``, inputs and outputs stay float32."""

    def make(source: Path, target: Path) -> None:
        from onnxruntime.transformers.float16 import convert_float_to_float16

        onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=keep_io), target)

    return make


def dynamic(source: Path, target: Path) -> None:
    """onnxruntime's dynamic quantiser: MatMulInteger over 8-bit weights and 8-bit activations."""
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(source, target)


def optimised(source: Path, target: Path) -> None:
    """The graph after onnxruntime's own optimisation: operators are fused, names and metadata lost."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(target)
    onnxruntime.InferenceSession(onnx.load(source).SerializeToString(), options, providers=["CPUExecutionProvider"])


KINDS = [
    Kind("fp32", same, "as the exporter writes it"),
    Kind("q4", bits(4), "`MatMulNBits` of 4 bits, blocks of 32 (`MatMulNBitsQuantizer`)", put_back),
    Kind("q8", bits(8), "`MatMulNBits` of 8 bits, blocks of 32 (`MatMulNBitsQuantizer`)", put_back),
    Kind("fp16", half(False), "float16 throughout (`convert_float_to_float16`)", halved),
    Kind("fp16, float I/O", half(True), "float16 inside, inputs and outputs float32 (`keep_io_types=True`)", halved),
    Kind("int8 dynamic", dynamic, "`MatMulInteger` (`quantize_dynamic`)"),
    Kind("ORT-optimised", optimised, "`optimized_model_filepath` at the level `ORT_ENABLE_EXTENDED`"),
]
