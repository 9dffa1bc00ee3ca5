"""What the engine reads from each exporter's form of a mixture of experts: a part of ``docs/compatibility-mixtures.md``.

Exporters of mixtures cannot share one environment, so their output is kept in ``test/fixtures/moe`` (see its README),
and what transformers computed in ``test/fixtures/golden/moe``. Here the built engine runs each folder, and the results
are compared.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gander_routing.files import read_json
from safetensors import safe_open
from safetensors.numpy import load_file
from tqdm import tqdm

from gander_training.compatibility.engine import EXACT, ROOT, command, refusal
from gander_training.compatibility.table import number
from gander_training.compatibility.ties import largest

FIXTURES = ROOT / "test/fixtures/moe"
GOLDEN = ROOT / "test/fixtures/golden/moe"
FORMS = {
    "transformers": "transformers",
    "transformers-int4": "export-moe, int4",
    "optimum": "optimum",
    "genai": "onnxruntime-genai",
    "genai-int4": "onnxruntime-genai, int4",
    "genai-int8": "onnxruntime-genai, int8",
    "mobius": "mobius",
}
TITLES = {
    "mixtral": "Mixtral",
    "olmoe": "OLMoE",
    "qwen2-moe": "Qwen2-MoE",
    "qwen3-moe": "Qwen3-MoE",
    "qwen3-moe-128": "Qwen3-MoE of eight experts a token",
    "granite-moe": "Granite-MoE",
    "gpt-oss": "gpt-oss",
    "deepseek-v3": "DeepSeek-V3",
    "lfm2-moe": "LFM2-MoE",
    "phimoe": "Phi-3.5-MoE",
    "jetmoe": "JetMoE",
    "glm4-moe": "GLM-4-MoE",
    "flex-olmo": "FlexOlmo",
    "qwen3-next": "Qwen3-Next",
    "mixtral-top1": "Mixtral of one expert a token",
}
# Columns of a router in a trace, which must agree.
COLUMNS = ("score", "selection", "weight")

FIXED = """## The folders of the tests

The engine on each folder that an exporter writes correctly ([models.md](models.md)), kept in test/fixtures/moe. A cell is the
largest difference of a log-probability, a router logit, the score that the router chose by, or a weight, on a text of {tokens}
tokens; all choices at all routers are the same. Folders with rounded weights are compared with the model with the same rounded
weights. –: there is no such folder (models.md says why).

"""

Trace = tuple[dict[str, Any], Mapping[str, np.ndarray]]


def read_trace(file: Path) -> Trace:
    """A trace file's header and tensors."""
    with safe_open(file, "np") as opened:
        header: dict[str, Any] = json.loads(opened.metadata()["gander-trace"])
    return header, load_file(file)


def answer(folder: Path, golden: Trace) -> str:
    """Runs a folder; returns its cell of the table."""
    header, wanted = golden
    with tempfile.TemporaryDirectory() as temporary:
        trace = Path(temporary) / "trace.safetensors"
        where: list[str | Path] = ["--model", folder, "--cache", Path(temporary), "--trace", trace]
        done = command(["route", "--text", header["sequences"][0]["text"], "--threads", "1", "--json", *where])
        if done.returncode:
            return f"refused: {refusal(done)}"
        own, got = read_trace(trace)
    same = [(block["from"], block["to"], block["k"]) for block in own["blocks"]]
    if same != [(block["from"], block["to"], block["k"]) for block in header["blocks"]]:
        return "**wrong: other routers**"
    off = largest(got["sequence.0.log_prob"], wanted["sequence.0.log_prob"])
    for index in range(len(same)):
        if not np.array_equal(got[f"block.{index}.chosen"], wanted[f"block.{index}.chosen"]):
            return "**wrong: other choices**"
        for column in COLUMNS:
            name = f"block.{index}.{column}"
            if (name in got) != (name in wanted):
                return f"**wrong: {column} of one alone**"
            if name in wanted:
                # Older code compares 0 where newer code excludes a group of experts.
                out = np.isneginf(wanted[name])
                off = max(off, largest(np.where(out, 0, got[name]), np.where(out, 0, wanted[name])))
    return number(off) if off <= EXACT else f"**wrong: {number(off)}**"


def golden_of(architecture: str, form: str) -> Path:
    """The golden trace for a form; rounded forms have their own."""
    own = GOLDEN / f"{architecture}-{form}.safetensors"
    return own if own.exists() else GOLDEN / f"{architecture}.safetensors"


def fixed_table() -> list[str]:
    """The section of the page about the tests' folders: runs each of them."""
    cells = {
        (architecture, form): FIXTURES / f"{architecture}-{form}"
        for architecture in TITLES
        for form in FORMS
        if (FIXTURES / f"{architecture}-{form}").exists()
    }
    found = {key: answer(folder, read_trace(golden_of(*key))) for key, folder in tqdm(cells.items())}
    headers = [read_trace(golden_of(*key))[0] for key in cells]
    tokens = {header["sequences"][0]["count"] for header in headers}
    lines = [FIXED.format(tokens=either(tokens)).rstrip("\n"), ""]
    lines += ["| | " + " | ".join(FORMS.values()) + " |", "| --- " * (len(FORMS) + 1) + "|"]
    for architecture, title in TITLES.items():
        experts = experts_of(FIXTURES / f"{architecture}-transformers")
        row = [found.get((architecture, form), "–") for form in FORMS]
        lines.append(f"| {title}, {experts} experts | " + " | ".join(row) + " |")
    return lines


def either(values: Collection[Any]) -> str:
    """The value, if it is always the same; otherwise all values."""
    return " or ".join(map(str, sorted(values)))


def experts_of(folder: Path) -> int:
    """The number of experts in a layer of the model."""
    config = read_json(folder / "config.json")
    names = ("num_local_experts", "num_experts", "n_routed_experts")
    return next(int(config[name]) for name in names if name in config)
