"""``docs/compatibility-encoder-decoders.md``: which bases of three files run, compared with the PyTorch reference."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from gander_routing.encoder_decoder import PARTS
from gander_routing.files import read_json
from gander_routing.pool import read_pool
from gander_routing.strategies import Strategy
from tqdm import tqdm

from gander_training.bases.encoder_decoder import export_pair, products, unchanged
from gander_training.compatibility import exporters
from gander_training.compatibility.architectures import CONTEXT, HEADS, INNER, LAYERS, WIDTH, Architecture, build
from gander_training.compatibility.command import chosen, result_of
from gander_training.compatibility.engine import (
    EXACT,
    ROOT,
    Difference,
    Refusal,
    Result,
    compare,
    engine_hash,
    judged,
    numbers,
    refused_at_once,
    route,
)
from gander_training.compatibility.expected import ONE
from gander_training.compatibility.exporters import Exporter
from gander_training.compatibility.kinds import KINDS, Kind, same
from gander_training.compatibility.pair_dynamo import dynamo
from gander_training.compatibility.pool import adapted_modules, write_experts, write_manifest, write_source
from gander_training.compatibility.prepare import one_line, slug
from gander_training.compatibility.table import Results, section, versions
from gander_training.compatibility.ties import largest
from gander_training.files import whole_file, write_json
from gander_training.quiet import quiet
from gander_training.reference.pairs import TARGET, TEXT, PairCase, golden_pair
from gander_training.texts.tokens import load_tokenizer

Numbers = dict[str, np.ndarray]

T5 = {
    "d_model": WIDTH,
    "d_kv": WIDTH // HEADS,
    "d_ff": INNER,
    "num_layers": LAYERS,
    "num_heads": HEADS,
    "decoder_start_token_id": 0,
}
GATED = {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
BART = {
    "d_model": WIDTH,
    "encoder_ffn_dim": INNER,
    "decoder_ffn_dim": INNER,
    "encoder_layers": LAYERS,
    "decoder_layers": LAYERS,
    "encoder_attention_heads": HEADS,
    "decoder_attention_heads": HEADS,
    "max_position_embeddings": CONTEXT,
    "decoder_start_token_id": 0,
    "forced_eos_token_id": None,
}
ROWS = [
    Architecture("t5", {**T5, "feed_forward_proj": "relu", "tie_word_embeddings": True}, note="plain"),
    Architecture("t5", GATED, note="v1.1"),
    Architecture("mt5", GATED),
    Architecture("umt5", GATED),
    Architecture("bart", BART),
]


def optimum(source: Path, target: Path, _: str) -> None:
    """optimum's three files, each with its own weights in it."""
    from optimum.exporters.onnx import main_export

    task = "text2text-generation-with-past"
    main_export(str(source), target, task=task, do_validation=False, no_post_process=True)


def merged(source: Path, target: Path, _: str) -> None:
    """optimum's default: both decoders in one file, as two branches."""
    from optimum.exporters.onnx import main_export

    main_export(str(source), target, task="text2text-generation-with-past", do_validation=False)
    shutil.copy(target / "decoder_model_merged.onnx", target / PARTS["decoder"])


def own(source: Path, target: Path, precision: str) -> None:
    """``gander-training export-base``, in four bits if ``precision`` says so."""
    target.rmdir()
    if precision == "int4":
        export_pair(source, target, unchanged, products)
    else:
        export_pair(source, target)


EXPORTERS = [
    Exporter("optimum", ("optimum-onnx", "torch"), optimum),
    Exporter("optimum, decoders merged", ("optimum-onnx", "torch"), merged, {kind.name: "fp32" for kind in KINDS}),
    Exporter("torch dynamo", ("torch", "onnxscript"), dynamo),
    Exporter("gander-training export-base", ("gander-training", "torch"), own, {"fp32": "fp32", "q4": "int4"}),
]

INTRODUCTION = """# Which encoder-decoders run

`gander-training compatibility --of encoder-decoders` writes this page ([training/README.md](../training/README.md)); do not edit it.
The bases of causal models are in [compatibility.md](compatibility.md), which also explains what the cells mean.

For each cell, a model with {layers} layers per stack and random weights was exported, its three files were converted to one kind, and
the engine ran them with three LoRA adapters on an input and a target: under phatgoose, and with one adapter alone.
Log-probabilities, affinities and choices are compared with the PyTorch reference on a model of the same rounded weights.

An encoder's tokens see each other, so one near tie that rounding decides differently changes everything after it. In such a run,
affinities and choices count up to that point, and log-probabilities come from the run with one adapter, where nothing is chosen.
Here *file* is the difference between the engine without experts and that model without experts. If it exceeds 1e-3, as it does with
half-precision arithmetic, affinities are reported but only log-probabilities decide. T5 does not scale its attention: with random
weights it is sharp, and half precision moves it.

`t5, v1.1` has the shape of T5 v1.1, its language-model adaptation and FLAN-T5; `t5, plain` that of the first T5, whose head is
the embedding. Made with {head}.
"""


def write_cell(cell: Path, row: Architecture, exporter: Exporter, kind: Kind) -> None:
    """Write ``pool/`` with a base of that kind."""
    model = build(row)
    pool = cell / "pool"
    with tempfile.TemporaryDirectory() as temporary, quiet():
        source, exported = Path(temporary, "source"), Path(temporary, "exported")
        write_source(model, source)
        exporters.export(exporter, source, exported, exporter.kinds.get(kind.name, "fp32"))
        (pool / "base").mkdir(parents=True)
        for part in PARTS.values():
            if kind.name in exporter.kinds or kind.make is same:
                shutil.copy(exported / part, pool / "base")
            else:
                kind.make(exported / part, pool / "base" / part)
        for data in exported.glob("*.data"):
            shutil.copy(data, pool / "base")
        for name in ("config.json", "tokenizer.json"):
            shutil.copy(source / name, pool / "base")
    write_experts(row, model, pool / "experts")
    write_manifest(row, pool, {part: f"base/{file}" for part, file in PARTS.items()})


def expected(cell: Path, row: Architecture, kind: Kind | None, strategy: Strategy) -> Numbers:
    """The reference's numbers, with weights rounded as that ``kind`` of file does."""
    model, pool = build(row), read_pool(cell / "pool")
    if kind and kind.weights:
        for part in PARTS.values():
            model = kind.weights(model, cell / "pool/base" / part)
    with torch.no_grad():
        tensors, header = golden_pair(pool, model, load_tokenizer(pool.path), PairCase("", TEXT, TARGET, strategy))
    return numbers({name: tensor.numpy() for name, tensor in tensors.items()}, header)


def run_cell(cell: Path, row: Architecture, kind: Kind) -> Result:
    """Run a cell's pool and judge the result."""
    result = Result("exact", adapted=adapted_modules(cell / "pool"))
    asked = ("--text", TEXT, "--target", TARGET)
    with tempfile.TemporaryDirectory() as temporary:
        cache = Path(temporary)
        try:
            alone = route(cell / "pool", cache, "base", asked)[0]
            one = route(cell / "pool", cache, f"single:{ONE}", asked)[0]
            got, result.warnings = route(cell / "pool", cache, "phatgoose:2", asked)
        except Refusal as error:
            at_once = refused_at_once(cell / "pool", cache)
            return replace(result, outcome="refused" if at_once else "failed", why=at_once or str(error))
    result.placed = sum(name.endswith(":affinity") for name in got)
    result.file = compare(alone, expected(cell, row, kind, Strategy("base"))).log_prob
    single = compare(one, expected(cell, row, kind, Strategy("single", expert=ONE))).log_prob
    off = up_to_a_tie(got, expected(cell, row, kind, Strategy("phatgoose", 2)), single)
    # With rounded arithmetic the file bounds the difference of log-probabilities, but not of affinities.
    result.off = replace(off, untied=single if result.file > EXACT else off.untied)
    result.unrounded = compare(got, expected(cell, row, None, Strategy("phatgoose", 2)))
    result.outcome = judged(result)
    return result


def up_to_a_tie(got: Numbers, wanted: Numbers, single: float) -> Difference:
    """The differences up to the first module where a near tie was decided differently.

    An encoder's tokens see each other, so one different choice changes everything after it. The difference in
    log-probability then comes from ``single``, the run with one adapter, where nothing is chosen.
    """
    paths = [name.removesuffix(":chosen") for name in got if name.endswith(":chosen") and name in wanted]
    untied = single
    for end, path in enumerate(paths, 1):
        untied = max(untied, largest(got[f"{path}:affinity"], wanted[f"{path}:affinity"]))
        if (np.sort(got[f"{path}:chosen"]) != np.sort(wanted[f"{path}:chosen"])).any():
            kept = [f"{path}:{what}" for path in paths[:end] for what in ("affinity", "chosen")]
            off = compare({name: got[name] for name in kept}, {name: wanted[name] for name in kept})
            return replace(off, log_prob=single, untied=untied)
    off = compare(got, wanted)
    return replace(off, log_prob=max(off.log_prob, single), untied=max(off.largest(), single))


def answer(cell: Path, row: Architecture, exporter: Exporter, kind: Kind) -> Result:
    """A cell's result; the cell is made if it does not exist."""
    if not (cell / "pool/pool.json").exists():
        shutil.rmtree(cell, ignore_errors=True)
        try:
            write_cell(cell, row, exporter, kind)
        except Exception as error:  # exporters raise all kinds of errors
            return Result("not exported", one_line(error))
    return run_cell(cell, row, kind)


def run(args: argparse.Namespace) -> None:
    """Continue where the last run stopped, and write the table of all results."""
    results: Results = {}
    asked = list(
        product(
            chosen(args.architectures, ROWS, "architecture"),
            chosen(args.exporters, EXPORTERS, "exporter"),
            chosen(args.kinds, KINDS, "kind of file"),
        )
    )
    for row, exporter, kind in tqdm(asked):
        cell = args.folder / "encoder-decoders" / row.name / slug(exporter.name) / slug(kind.name)
        if result_of(cell) is None:
            found = answer(cell, row, exporter, kind)
            cell.mkdir(parents=True, exist_ok=True)
            write_json(cell / "result.json", {**asdict(found), "engine": engine_hash()})
        results[row.name, exporter.name, kind.name] = read_json(cell / "result.json")
    lines = [INTRODUCTION.format(layers=LAYERS, head=versions())]
    for exporter in EXPORTERS:
        lines += section(exporter, ROWS, KINDS, results)
    out = args.out or ROOT / "docs/compatibility-encoder-decoders.md"
    with whole_file(out) as file:
        file.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    print(f"wrote {out}")
