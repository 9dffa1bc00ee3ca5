"""Writes a run as a trace file (docs/trace-format.md)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from gander_routing.forward import RoutedResult
from gander_routing.pool import Pool
from gander_routing.strategies import Strategy
from gander_routing.whatif import Intervention
from safetensors.torch import save_file
from torch import Tensor

from gander_training.files import whole_file
from gander_training.texts.tokens import Encoded, readable

# Fixed, so that a golden trace is the same whenever it is made.
CREATED = "1970-01-01T00:00:00Z"


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pool_hash(pool: Path) -> str:
    """SHA-256 over lines ``<sha256>  <path>`` for every JSON, weights and ONNX file, sorted by path."""
    paths = (file.relative_to(pool) for file in pool.rglob("*"))
    files = sorted(
        path.as_posix()
        for path in paths
        if path.suffix in {".json", ".onnx", ".data", ".bin", ".safetensors"}
        and not any(part.startswith(".") for part in path.parts)
    )
    lines = "".join(f"{file_hash(pool / file)}  {file}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def trace_of(
    pool: Pool,
    tokenizer: Any,
    encoded: Encoded,
    result: RoutedResult,
    strategy: Strategy,
    interventions: Sequence[Intervention] = (),
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A run as the tensors and the header of a trace file."""
    import transformers

    names = {expert.id: expert.name for expert in pool.experts}
    tensors = {
        "token_ids": torch.tensor(encoded.ids, dtype=torch.int32),
        "token_start": torch.tensor(encoded.start, dtype=torch.int32),
        "token_end": torch.tensor(encoded.end, dtype=torch.int32),
        "affinity": result.affinity,
        "chosen": result.chosen,
        "weight": result.weight,
        "contribution": result.contribution,
        "log_prob": result.log_prob,
        "top_ids": result.top_ids,
        "top_log_prob": result.top_log_prob,
        "last_logits": result.last_logits,
    }
    header = {
        "format": "gander-trace",
        "version": 1,
        "text": encoded.text,
        "modules": [{"path": m.path, "layer": m.layer, "kind": m.kind} for m in result.modules],
        "experts": [{"id": identifier, "name": names[identifier]} for identifier in result.experts],
        "tokens": encoded.tokens,
        "topTokens": [[readable(tokenizer.id_to_token(i)) for i in row] for row in result.top_ids.tolist()],
        "strategy": strategy.header(),
        "interventions": [item.header() for item in interventions],
        "pool": {"id": pool.manifest["id"], "name": pool.manifest["name"], "hash": pool_hash(pool.path)},
        "tokenizer": {"hash": file_hash(pool.path / pool.manifest["base"]["tokenizer"])},
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "created": CREATED,
    }
    return tensors, header


def only_layers(tensors: dict[str, Tensor], header: dict[str, Any], layers: Sequence[int]) -> None:
    """Remove the modules of other layers, in place, to keep a file small."""
    kept = [index for index, module in enumerate(header["modules"]) if module["layer"] in layers]
    header["modules"] = [header["modules"][index] for index in kept]
    for name in ("affinity", "chosen", "weight", "contribution"):
        tensors[name] = tensors[name][kept]


def write_trace(path: Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Write a trace file, whole or not at all."""
    with whole_file(path) as temporary:
        save_file(
            {name: tensor.contiguous() for name, tensor in tensors.items()},
            temporary,
            metadata={"gander-trace": json.dumps(header, ensure_ascii=False)},
        )
        temporary.chmod(0o644)  # safetensors makes files readable only by their owner
