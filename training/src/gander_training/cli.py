"""``gander-training``: train an expert and its gate, export a base, build and check a pool."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gander_routing.errors import UserError

if TYPE_CHECKING:
    import torch

# Heavy imports happen only when a command runs, so that --help is immediate.

USUAL = {"length": 256}
ADAPTER = {"rank": 8, "alpha": 16}
# The settings of PHATGOOSE's released code; pairs/train.py names the files.
PAPER = {"steps": 1000, "batch": 1024, "length": 512, "learning_rate": 5e-3}
PAPER_ADAPTER = {"rank": 16, "alpha": 1}


def _common(parser: argparse.ArgumentParser, usual: Mapping[str, float], pair: Mapping[str, float]) -> None:
    """``usual`` and ``pair``: the defaults for a causal base and for an encoder-decoder."""

    def add(name: str, kind: type, what: str = "") -> None:
        said = f"{what + ' ' if what else ''}(default: {usual[name]:g}; {pair[name]:g} for an encoder-decoder)"
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help=said)

    parser.set_defaults(usual=usual, pair=pair)
    parser.add_argument(
        "--base", type=Path, required=True, help="a pool, or a Hugging Face causal LM or T5 folder, or GGUF file"
    )
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        help='jsonl files of {"text"}; for an encoder-decoder, of {"input", "target"}',
    )
    add("steps", int)
    add("batch", int, "windows or examples per step")
    add("length", int, "tokens per window, or the most in an input or target")
    add("learning_rate", float, "peak")
    parser.add_argument(
        "--part", type=int, default=8, help="for an encoder-decoder: examples that run at once (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--runs", type=Path, default=Path(".runs"), help="checkpoints to resume from (default: %(default)s)"
    )
    _dtype_option(parser)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="PyTorch's threads (default: all)")


def _dtype_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dtype",
        choices=("bfloat16", "float32"),
        help="default: bfloat16 if the processor multiplies in it, otherwise float32",
    )


def _dtype(args: argparse.Namespace) -> torch.dtype:
    import torch

    from gander_training.bases.arithmetic import usual_dtype

    if args.dtype is not None:
        return getattr(torch, args.dtype)
    usual = usual_dtype()
    print(f"in {usual}".replace("torch.", ""), file=sys.stderr)
    return usual


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gander-training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    expert = commands.add_parser("expert", help="train a LoRA adapter", description="Train a LoRA adapter with PEFT.")
    _common(expert, {**USUAL, "steps": 120, "batch": 4, "learning_rate": 1e-3, **ADAPTER}, {**PAPER, **PAPER_ADAPTER})
    expert.add_argument("--out", type=Path, required=True, help="folder to write; its name becomes the expert's id")
    expert.add_argument("--name", help="display name (default: the folder's)")
    expert.add_argument("--description", default="", help="one sentence for the model card")
    expert.add_argument("--license", default="apache-2.0", help="the adapter's licence (default: %(default)s)")
    expert.add_argument("--rank", type=int, help="(default: 8; 16 for an encoder-decoder)")
    expert.add_argument("--alpha", type=int, help="(default: 16; 1 for an encoder-decoder)")
    expert.add_argument("--validation", type=Path, help="jsonl, measured before and after")
    expert.add_argument("--test", type=Path, help="jsonl, measured before and after")
    expert.add_argument("--compile", action="store_true", help="torch.compile: slow to start, then faster")
    expert.add_argument("--overwrite", action="store_true", help="replace an existing expert")
    expert.set_defaults(run=_expert)

    gate = commands.add_parser(
        "gate",
        help="train an expert's PHATGOOSE gate",
        description="Train the gate with base and adapter frozen; collect mean activations and retrieval examples.",
    )
    _common(gate, {**USUAL, "steps": 100, "batch": 2, "learning_rate": 5e-3}, {**PAPER, "steps": 100})
    gate.add_argument("--expert", type=Path, required=True, help="the folder that `expert` (or PEFT) wrote")
    gate.add_argument(
        "--retriever", type=Path, help="embedder for the examples (default: the pool's, if --base is one)"
    )
    gate.add_argument("--add", action="store_true", help="check the finished expert and copy it into the pool (--base)")
    gate.add_argument("--overwrite", action="store_true", help="with --add: replace an existing expert")
    gate.set_defaults(run=_gate)

    publish = commands.add_parser(
        "publish",
        help="publish an expert on the Hugging Face Hub",
        description="Complete an expert's model card and print it with the list of files; with --upload, publish them.",
    )
    publish.add_argument("expert", type=Path, help="its folder, or the file that `gander pack` made of it")
    publish.add_argument("--to", required=True, metavar="OWNER/NAME", help="the repository on the hub")
    publish.add_argument("--base-model", metavar="OWNER/NAME", help="the base's repository (default: as its card says)")
    publish.add_argument("--license", help="the adapter's licence (default: as its card says)")
    publish.add_argument("--private", action="store_true", help="a new repository is seen by its owner alone")
    publish.add_argument(
        "--upload", action="store_true", help="send it; the token is that of HF_TOKEN or of `hf auth login`"
    )
    publish.set_defaults(run=_publish)

    export = commands.add_parser(
        "export-base", help="export and quantise a base model", description="Hugging Face or GGUF to quantised ONNX."
    )
    export.add_argument("source", type=Path, help="Hugging Face causal LM folder or GGUF file")
    export.add_argument("target", type=Path, help="folder to write, a pool's base/")
    export.add_argument(
        "--calibration", type=Path, nargs="+", help="jsonl files; without them weights are only rounded"
    )
    export.add_argument("--fit-steps", type=int, default=48, help="steps that fit the scales (default: %(default)s)")
    export.add_argument("--float", action="store_true", help="do not quantise")
    export.set_defaults(run=_export)

    retriever = commands.add_parser(
        "export-retriever",
        help="export a sentence embedder",
        description="Export a BERT-like encoder to ONNX, with weights in eight bits.",
    )
    retriever.add_argument("source", type=Path, help="sentence-transformers folder, such as all-MiniLM-L6-v2")
    retriever.add_argument("target", type=Path, help="folder to write, a pool's retriever/")
    retriever.set_defaults(run=_retriever)

    examples = commands.add_parser(
        "examples",
        help="embed a pool's training examples again, after its retriever changed",
        description="Write every expert's examples.safetensors with the pool's retriever; gates stay as they are.",
    )
    examples.add_argument("pool", type=Path)
    examples.add_argument(
        "--data", type=Path, default=Path(".corpora"), help="contains <expert>/train.jsonl (default: %(default)s)"
    )
    examples.set_defaults(run=_examples)

    phatgoose = commands.add_parser(
        "import-phatgoose",
        help="make a pool from a checkpoint of PHATGOOSE's released code",
        description="Make a pool from a concatenated checkpoint (best.pt, or the same as safetensors) and its T5. "
        "Run it again to continue.",
    )
    phatgoose.add_argument("checkpoint", type=Path)
    phatgoose.add_argument(
        "--base", type=Path, required=True, help="Hugging Face folder of the T5 that it was trained on"
    )
    phatgoose.add_argument("--out", type=Path, required=True, help="the pool's folder")
    phatgoose.add_argument(
        "--names", type=Path, help="file of the experts' names, one per line (default: expert-00 ...)"
    )
    phatgoose.add_argument("--experts", help="only these, by index in the checkpoint: 3,7 (default: all)")
    phatgoose.add_argument("--name", help="the pool's display name (default: the folder's)")
    phatgoose.add_argument("--license", default="not stated", help="the experts' licence (default: %(default)s)")
    phatgoose.set_defaults(run=_import_phatgoose)

    xlora = commands.add_parser(
        "import-xlora",
        help="make a pool from an X-LoRA model of PEFT",
        description="Make a pool from the folder of an X-LoRA classifier, its adapters and its base, which is exported in float32.",
    )
    xlora.add_argument("folder", type=Path, help="the classifier's adapter_config.json and adapter_model.safetensors")
    xlora.add_argument(
        "--base", type=Path, required=True, help="Hugging Face folder of the base that it was trained on"
    )
    xlora.add_argument("--out", type=Path, required=True, help="the pool's folder")
    xlora.add_argument(
        "--adapter",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="where an adapter is now, by its name in the configuration: 0=adapters/python (default: where it was)",
    )
    xlora.add_argument("--name", help="the pool's display name (default: the folder's)")
    xlora.add_argument("--license", default="not stated", help="the adapters' licence (default: %(default)s)")
    xlora.set_defaults(run=_import_xlora)

    mttl = commands.add_parser(
        "import-mttl",
        help="add experts from an mttl library to a pool",
        description="Add adapters and PHATGOOSE gates of a github.com/microsoft/mttl library to a pool on their base.",
    )
    mttl.add_argument("library", type=Path, help="folder of <expert>.ckpt, .meta and .bin")
    mttl.add_argument("pool", type=Path, help="made by export-base and pool create")
    mttl.add_argument("--experts", nargs="+", metavar="NAME", help="only these (default: all)")
    mttl.set_defaults(run=_import_mttl)

    router = commands.add_parser(
        "router",
        help="train one router for a pool's experts together",
        description="Train a linear router for each module on all experts' text at once (strategy `jointly-trained`), "
        "to compare the independent gates with.",
    )
    router.add_argument("pool", type=Path, help="its experts stay as they are")
    router.add_argument(
        "--data", type=Path, default=Path(".corpora"), help="contains <expert>/train.jsonl (default: %(default)s)"
    )
    router.add_argument(
        "--runs", type=Path, default=Path(".runs"), help="checkpoints to resume from (default: %(default)s)"
    )
    router.add_argument("--steps", type=int, default=600, help="default: %(default)s")
    router.add_argument("-k", type=int, default=2, help="experts per token (default: %(default)s)")
    router.add_argument("--threads", type=int, default=os.cpu_count(), help="PyTorch's threads (default: all)")
    router.set_defaults(run=_router)

    _xlora_options(
        commands.add_parser(
            "xlora",
            help="train an X-LoRA classifier for a pool's experts together",
            description="Train PEFT's X-LoRA classifier on all experts' text at once (strategy `x-lora`), to compare the "
            "independent gates with.",
        )
    )

    moe = commands.add_parser(
        "train-moe",
        help="train a small mixture of experts from scratch",
        description="Train a Mixtral at a constant learning rate; --finish-in decays it to 0 and writes the model.",
    )
    moe.add_argument(
        "--data", type=Path, default=Path(".corpora/moe"), help="contains */train.jsonl (default: %(default)s)"
    )
    moe.add_argument("--runs", type=Path, default=Path(".runs/moe"), help="the run's folder (default: %(default)s)")
    moe.add_argument("--steps", type=int, default=5000, help="steps in all, before a finish (default: %(default)s)")
    moe.add_argument(
        "--finish-in", type=int, help="decay the learning rate to 0 in so many steps after the last checkpoint"
    )
    moe.add_argument("--out", type=Path, help="with --finish-in: Hugging Face folder to write")
    moe.add_argument("--batch", type=int, default=16, help="windows per step (default: %(default)s)")
    moe.add_argument("--length", type=int, default=512, help="tokens per window (default: %(default)s)")
    moe.add_argument("--learning-rate", type=float, default=1.5e-3, help="peak (default: %(default)s)")
    moe.add_argument("--seed", type=int, default=0)
    moe.add_argument("--threads", type=int, default=os.cpu_count(), help="PyTorch's threads (default: all)")
    moe.set_defaults(run=_train_moe)

    card = commands.add_parser(
        "moe-card",
        help="write the model card of a model from train-moe",
        description="Write README.md: how the model was trained, and what an atlas of text that it never saw says about it.",
    )
    card.add_argument("model", type=Path, help="a folder with the training.json of train-moe")
    card.add_argument("--atlas", type=Path, required=True, help="made by gander atlas make")
    card.add_argument("--name", help="name in the card (default: the folder's)")
    card.set_defaults(run=_moe_card)

    export_moe = commands.add_parser(
        "export-moe",
        help="export a mixture of experts to an ONNX folder",
        description="Export a Hugging Face mixture of experts with keys and values, compared with its source.",
    )
    export_moe.add_argument("source", type=Path, help="Hugging Face folder")
    export_moe.add_argument("target", type=Path, help="folder to write")
    export_moe.add_argument("--precision", choices=("float32", "int4"), default="float32", help="default: %(default)s")
    export_moe.add_argument("--adapter", type=Path, help="folder of a PEFT LoRA adapter, merged before the export")
    export_moe.set_defaults(run=_export_moe)

    compatibility = commands.add_parser(
        "compatibility",
        help="write docs/compatibility.md and related pages",
        description="Run tiny models of many architectures, exporters and kinds of file; compare with PEFT.",
    )
    _compatibility_options(compatibility)
    _pool_parser(commands.add_parser("pool", help="create, extend, check or measure a pool"))
    reference = commands.add_parser(
        "reference", help="write golden traces with a plain PyTorch forward pass", add_help=False
    )
    reference.add_argument("rest", nargs=argparse.REMAINDER)
    corpora = commands.add_parser("corpora", help="fetch the pinned corpora", add_help=False)
    corpora.add_argument("rest", nargs=argparse.REMAINDER)
    excerpts = commands.add_parser(
        "excerpts", help="write labelled excerpts that no expert was trained on, for an atlas"
    )
    excerpts.add_argument("out", type=Path, help="the jsonl file to write")
    excerpts.add_argument("--corpora", type=Path, default=Path(".corpora"), help="default: %(default)s")
    excerpts.add_argument("--documents", type=int, default=16, help="of each label (default: %(default)s)")
    excerpts.add_argument("--characters", type=int, default=2000, help="of each document (default: %(default)s)")
    excerpts.set_defaults(run=_excerpts)
    return parser


def _xlora_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pool", type=Path, help="its base and experts stay as they are")
    parser.add_argument(
        "--data", type=Path, default=Path(".corpora"), help="contains <expert>/train.jsonl (default: %(default)s)"
    )
    parser.add_argument(
        "--runs", type=Path, default=Path(".runs"), help="checkpoints to resume from (default: %(default)s)"
    )
    parser.add_argument("--steps", type=int, default=600, help="default: %(default)s")
    parser.add_argument("--batch", type=int, default=4, help="windows per step (default: %(default)s)")
    parser.add_argument("--length", type=int, default=256, help="tokens per window (default: %(default)s)")
    parser.add_argument("--part", type=int, help="windows that run at once (default: all of a step)")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="peak (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=2, help="default: %(default)s")
    _dtype_option(parser)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="PyTorch's threads (default: all)")
    parser.add_argument("--overwrite", action="store_true", help="replace the pool's classifier")
    shape = parser.add_argument_group("the classifier", "Defaults are PEFT's.")
    shape.add_argument("--layerwise", action="store_true", help="scalings for each module, instead of one set for all")
    shape.add_argument("--depth", type=int, default=1, help="linear layers (default: %(default)s)")
    shape.add_argument("--size", type=int, default=2048, help="width between them (default: %(default)s)")
    shape.add_argument("--dropout", type=float, default=0.2, help="between them (default: %(default)s)")
    shape.add_argument(
        "--softmax",
        choices=("all", "chosen", "none"),
        default="all",
        help="over all experts' scalings, over those that --top-k keeps, or none (default: %(default)s)",
    )
    shape.add_argument("--temperature", type=float, default=1.0, help="of the softmax over all (default: %(default)s)")
    shape.add_argument("--top-k", type=int, help="keep only the k largest scalings (default: all)")
    shape.add_argument(
        "--pass-value", type=float, default=0.0, help="every scaling in the first pass (default: %(default)s)"
    )
    shape.add_argument("--weight", type=float, default=1.0, help="a factor on all scalings (default: %(default)s)")
    parser.set_defaults(run=_xlora)


def _compatibility_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--of",
        choices=("bases", "encoder-decoders", "mixtures"),
        default="bases",
        help="which table (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, help="default: the table's file in docs/")
    parser.add_argument(
        "--folder", type=Path, default=Path(".compatibility"), help="where results are kept (default: %(default)s)"
    )
    parser.add_argument("--architectures", nargs="+", metavar="NAME", help="run only these")
    parser.add_argument("--exporters", nargs="+", metavar="NAME", help="run only these")
    parser.add_argument("--kinds", nargs="+", metavar="NAME", help="run only these kinds of file")
    parser.add_argument("--limit", type=int, default=900, help="seconds per export (default: %(default)s)")
    parser.set_defaults(run=_compatibility)


def _pool_parser(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True)
    check = commands.add_parser("check", help="read every file and compare it with the base")
    check.add_argument("pool", type=Path)
    check.set_defaults(run=_pool_check)
    add = commands.add_parser("add", help="check an expert and copy it into a pool")
    add.add_argument("pool", type=Path)
    add.add_argument("expert", type=Path)
    add.add_argument("--id", help="default: the folder's name")
    add.add_argument("--overwrite", action="store_true")
    add.set_defaults(run=_pool_add)
    create = commands.add_parser("create", help="write pool.json next to an exported base/")
    create.add_argument("pool", type=Path)
    create.add_argument("--name", required=True)
    create.add_argument("--base-name", required=True)
    create.add_argument("--description", default="")
    create.add_argument("--license", required=True)
    create.set_defaults(run=_pool_create)
    table = commands.add_parser("table", help="measure experts x domains and routing; write them into the README")
    table.add_argument("pool", type=Path)
    table.add_argument("--corpora", type=Path, default=Path(".corpora"), help="holds <expert>/test.jsonl")
    table.add_argument("--source", type=Path, help="published weights, to measure the cost of quantisation")
    table.add_argument(
        "--runs", type=Path, default=Path(".runs"), help="where measurements are kept (default: %(default)s)"
    )
    table.add_argument("--windows", type=int, default=16, help="windows per domain (default: %(default)s)")
    table.add_argument("--routed", type=int, default=8, help="how many of them are routed (default: %(default)s)")
    table.set_defaults(run=_pool_table)


def _settle(args: argparse.Namespace) -> bool:
    """Fill in defaults; returns whether the base is an encoder-decoder."""
    from gander_training.bases.source import is_pair_base

    is_pair = is_pair_base(args.base)
    for key, value in (args.pair if is_pair else args.usual).items():
        if getattr(args, key) is None:
            setattr(args, key, value)
    if args.part < 1:
        raise UserError("--part must be at least 1")
    return is_pair


def _prepare(args: argparse.Namespace) -> None:
    import torch

    for key in ("steps", "batch", "length", "threads"):
        if getattr(args, key) < 1:
            raise UserError(f"--{key} must be at least 1")
    if args.learning_rate <= 0:
        raise UserError("--learning-rate must be above 0")
    torch.set_num_threads(args.threads)


def _expert(args: argparse.Namespace) -> None:
    from gander_training.experts.train import Card, ExpertOptions, require_fresh, train_expert
    from gander_training.experts.workbench import open_bench, open_pair_bench
    from gander_training.pairs.train import PairOptions, train_pair_expert

    is_pair = _settle(args)
    _prepare(args)
    if args.rank < 1 or args.alpha < 1:
        raise UserError("--rank and --alpha must be at least 1")
    require_fresh(args.out, args.overwrite)
    held_out = {split: path for split in ("validation", "test") if (path := getattr(args, split))}
    bench = (open_pair_bench if is_pair else open_bench)(
        args.base, rank=args.rank, alpha=args.alpha, dtype=_dtype(args), compiled=args.compile
    )
    settings = args.steps, args.batch, args.length, args.learning_rate, args.seed
    card = Card(args.name or args.out.name, args.description, args.license)
    if is_pair:
        options = PairOptions(*settings, args.part)
        figures = train_pair_expert(bench, args.data, args.out, card, options, args.runs, held_out)
    else:
        several = {split: [path] for split, path in held_out.items()}
        figures = train_expert(bench, args.data, args.out, card, ExpertOptions(*settings), args.runs, several)
    for split, scores in figures.items():
        print(f"{split}: {scores['before'].bits:.4f} to {scores['after'].bits:.4f} bits per byte")
    print(f"wrote {args.out}")


def _gate(args: argparse.Namespace) -> None:
    from gander_routing.retrieval import Retriever

    from gander_training.experts.workbench import open_bench, open_pair_bench
    from gander_training.gates.train import GateOptions, train_gate_folder
    from gander_training.pairs.train import PairOptions, train_pair_gate_folder
    from gander_training.pools.pool import add_expert, manifest_of

    is_pair = _settle(args)
    _prepare(args)
    is_pool = (args.base / "pool.json").is_file()
    if args.add and not is_pool:
        raise UserError(f"{args.base / 'pool.json'}: no such file (--add needs --base to be a pool)")
    folder = args.retriever
    if folder is None and is_pool and "retriever" in (manifest := manifest_of(args.base)):
        folder = args.base / Path(manifest["retriever"]["model"]).parent
    retriever = Retriever(folder) if folder else None
    if retriever is None:
        print("no retriever: examples.safetensors is not written", file=sys.stderr)
    bench = (open_pair_bench if is_pair else open_bench)(
        args.base, rank=0, alpha=0, dtype=_dtype(args), compiled=False, adapter=args.expert
    )
    settings = args.steps, args.batch, args.length, args.learning_rate, args.seed + 1
    if is_pair:
        options = PairOptions(*settings, args.part)
        train_pair_gate_folder(bench, args.data, args.expert, options, args.runs, retriever)
    else:
        train_gate_folder(bench, args.data, args.expert, GateOptions(*settings), args.runs, retriever)
    print(f"wrote {args.expert / 'gate.safetensors'}")
    if args.add:
        print(f"added {add_expert(args.base, args.expert, None, args.overwrite)}")


def _publish(args: argparse.Namespace) -> None:
    from gander_training.experts.publish import PROVENANCE, Said, prepare, upload

    publication = prepare(args.expert, args.to, Said(args.base_model, args.license))
    if args.upload:
        print(upload(publication, private=args.private))
        return
    print(publication.card)
    for name, content in publication.files.items():
        print(f"{name}: {len(content):,} bytes")
    if PROVENANCE not in publication.files:
        print(
            "No provenance.json: publish what `gander pack` makes of the expert, and others see what it was made from."
        )
    print(f"Nothing was sent. With --upload, these files go to {args.to}.")


def _import_phatgoose(args: argparse.Namespace) -> None:
    from gander_training.imports.phatgoose import import_phatgoose

    if args.experts is not None and not re.fullmatch(r"\d+(,\d+)*", args.experts):
        raise UserError(f"--experts: {args.experts!r} is not a list of numbers such as 3,7")
    ids = import_phatgoose(
        args.checkpoint,
        args.base,
        args.out,
        names=args.names,
        chosen=[int(index) for index in args.experts.split(",")] if args.experts else None,
        title=args.name,
        license=args.license,
    )
    print(f"{args.out}: {len(ids)} experts, {ids[0]} to {ids[-1]}")


def _import_xlora(args: argparse.Namespace) -> None:
    from gander_training.imports.xlora import import_xlora

    given = {}
    for item in args.adapter:
        name, equals, folder = item.partition("=")
        if not (name and equals and folder):
            raise UserError(f"--adapter: {item!r} is not of the form 0=FOLDER")
        given[name] = Path(folder)
    ids = import_xlora(args.folder, args.base, args.out, given=given, title=args.name, license=args.license)
    print(f"{args.out}: {len(ids)} adapters, {', '.join(ids)}")


def _import_mttl(args: argparse.Namespace) -> None:
    from gander_training.imports.mttl import import_mttl

    print(f"{args.pool}: {', '.join(import_mttl(args.library, args.pool, args.experts))}")


def _router(args: argparse.Namespace) -> None:
    import torch

    from gander_training.gates.router import RouterOptions, train_router

    torch.set_num_threads(args.threads)
    told = train_router(args.pool, args.data, RouterOptions(steps=args.steps, k=args.k), args.runs)
    print(f"{args.pool}: loss {told['first']:.4f} at the start, {told['last']:.4f} at the end")


def _xlora(args: argparse.Namespace) -> None:
    from gander_training.gates.xlora import XLoraOptions, XLoraShape, train_xlora

    _prepare(args)
    if args.part is not None and args.part < 1:
        raise UserError("--part must be at least 1")
    shape = XLoraShape(
        args.depth,
        args.size,
        args.dropout,
        args.layerwise,
        args.softmax,
        args.temperature,
        args.top_k,
        args.pass_value,
        args.weight,
    )
    options = XLoraOptions(args.steps, args.batch, args.length, args.learning_rate, args.seed, args.part, shape)
    told = train_xlora(args.pool, args.data, options, args.runs, dtype=_dtype(args), overwrite=args.overwrite)
    print(f"{args.pool}: loss {told['first']:.4f} at the start, {told['last']:.4f} at the end")


def _train_moe(args: argparse.Namespace) -> None:
    from gander_training.mixtures.mixtral import Shape
    from gander_training.mixtures.train import MoeOptions, Run, finish_moe, train_moe

    _prepare(args)
    if (args.finish_in is None) != (args.out is None):
        raise UserError("--finish-in and --out go together")
    if args.finish_in is not None and args.finish_in < 1:
        raise UserError("--finish-in must be at least 1")
    options = MoeOptions(args.batch, args.length, args.learning_rate, seed=args.seed)
    run = Run(args.runs, args.data, Shape(), options)
    if args.finish_in is None:
        train_moe(run, args.steps)
        print(f"{args.runs}: {len(run.losses)} steps done; --finish-in N --out FOLDER makes a model from them")
    else:
        finish_moe(run, args.finish_in, args.out)
        print(f"wrote {args.out}")


def _moe_card(args: argparse.Namespace) -> None:
    from gander_training.mixtures.card import write_card

    write_card(args.model, args.atlas, args.name or args.model.resolve().name)
    print(f"wrote {args.model / 'README.md'}")


def _export_moe(args: argparse.Namespace) -> None:
    from gander_training.mixtures.export import export_moe

    print("\n".join(export_moe(args.source, args.target, args.precision, args.adapter)))
    print(f"wrote {args.target}")


def _export(args: argparse.Namespace) -> None:
    import random

    from gander_training.bases.export import ExportOptions, export_base
    from gander_training.texts.windows import read_texts

    texts = None
    if args.calibration:
        # The same number of documents from each file, at most 4,000 characters each, so that no file outweighs another.
        parts = [read_texts(path) for path in args.calibration]
        texts = [text[:4000] for part in parts for text in random.Random(0).sample(part, min(12, len(part)))]
    export_base(args.source, args.target, texts, None if args.float else ExportOptions(fit_steps=args.fit_steps))
    print(f"wrote {args.target}")


def _retriever(args: argparse.Namespace) -> None:
    from gander_training.bases.retriever import export_retriever

    export_retriever(args.source, args.target)
    print(f"wrote {args.target}")


def _examples(args: argparse.Namespace) -> None:
    from gander_training.pools.examples import embed_examples

    for line in embed_examples(args.pool, args.data):
        print(line, flush=True)


def _compatibility(args: argparse.Namespace) -> None:
    if args.of == "mixtures":
        from gander_training.sweep import page

        page.run(args)
        return
    from gander_training.compatibility import command, pairs

    tables = {"bases": command.run, "encoder-decoders": pairs.run}
    tables[args.of](args)


def _excerpts(args: argparse.Namespace) -> None:
    from gander_training.corpora.excerpts import write_excerpts

    print(f"wrote {write_excerpts(args.corpora, args.out, args.documents, args.characters)} excerpts to {args.out}")


def _pool_check(args: argparse.Namespace) -> None:
    from gander_training.pools.pool import check_pool

    print("\n".join(check_pool(args.pool)))


def _pool_add(args: argparse.Namespace) -> None:
    from gander_training.pools.pool import add_expert

    print(f"added {add_expert(args.pool, args.expert, args.id, args.overwrite)}")


def _pool_create(args: argparse.Namespace) -> None:
    from gander_training.pools.pool import create_pool

    create_pool(args.pool, args.pool.resolve().name, args.name, args.description, args.license, args.base_name)
    print(f"wrote {args.pool / 'pool.json'}")


def _pool_table(args: argparse.Namespace) -> None:
    from gander_training.pools.measure import MeasureOptions, report, write_report

    text = report(
        args.pool, args.corpora, args.source, args.runs, MeasureOptions(windows=args.windows, routed=args.routed)
    )
    write_report(args.pool / "README.md", text)
    print(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. An error that a user can fix prints one line on stderr and returns 1."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["corpora"]:
        from gander_training.corpora import command as corpora

        return corpora.main(arguments[1:])
    if arguments[:1] == ["reference"]:
        from gander_training.reference import command as reference

        return reference.main(arguments[1:])
    args = _parser().parse_args(arguments)
    try:
        args.run(args)
    except (UserError, OSError) as error:
        line = " ".join(str(error).split())
        print(f"gander-training: {line}"[: max(400, shutil.get_terminal_size().columns)], file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("gander-training: stopped; run the same command again to continue", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
