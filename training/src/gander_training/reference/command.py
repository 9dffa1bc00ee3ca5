"""Golden traces: what the routed model computes in the plain PyTorch forward pass of ``gander_routing``.

``python -m gander_training.reference --pool POOL --out FOLDER`` writes the pool's golden traces, each a file in the
trace format (docs/trace-format.md) with a few more tensors for tests:

=============== ================= ==================================================================================
``last_logits`` [V] F32           logits after the last token
``bias``        [M, T, N] F32     what was added to the affinities, if that was a tensor, not an intervention
``fixed``       [M, T, N] F32     weights that replaced the router's, likewise; NaN where the router decided
=============== ================= ==================================================================================

``--text`` traces one text instead; ``--time`` measures the forward pass and prints JSON. A pool on an encoder-decoder
has traces of two sequences (``pairs``): ``--target`` is the output, which the model otherwise generates.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import get_args

import torch
from gander_routing.errors import UserError
from gander_routing.pool import Pool, read_pool
from gander_routing.strategies import ROUTED, Strategy, StrategyName

from gander_training.files import whole_folder
from gander_training.reference.cases import Case, cases_of
from gander_training.reference.golden import as_half, golden, load_base, settled
from gander_training.reference.pairs import PairCase, is_pair, pair_cases, write_pair
from gander_training.reference.timing import TIMED_TEXT, measure
from gander_training.reference.trace import write_trace
from gander_training.texts.tokens import load_tokenizer


def write_goldens(pool: Pool, folder: Path) -> None:
    """Write every golden trace of ``pool`` into ``folder``."""
    if is_pair(pool):
        pair = load_base(pool.path)
        for item in pair_cases(pool):
            print(
                f"{item.name}: {write_pair(folder / f'{item.name}.safetensors', pool, pair, item)} tokens",
                file=sys.stderr,
            )
        return
    model, tokenizer = load_base(pool.path), load_tokenizer(pool.path)
    rounded = as_half(model)
    for case in cases_of(pool):
        tensors, header = golden(pool, rounded if case.half else model, tokenizer, case)
        write_trace(folder / f"{case.name}.safetensors", tensors, header)
        print(f"{case.name}: {tensors['token_ids'].numel()} tokens", file=sys.stderr)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``reference``."""
    parser.add_argument("--pool", type=Path, default=Path("test/fixtures/tiny-pool"), help="pool folder")
    parser.add_argument(
        "--out", type=Path, help="folder for the golden traces (with --text, a file); default: by the pool's id"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--text", help="trace this text instead of the golden ones")
    source.add_argument("--text-file", type=Path, help="the same, from a UTF-8 file")
    parser.add_argument("--target", help="with --text on an encoder-decoder: the output (default: what it generates)")
    parser.add_argument("--length", type=int, default=20, help="the most tokens to generate (default: %(default)s)")
    parser.add_argument("--strategy", choices=get_args(StrategyName), default="phatgoose")
    parser.add_argument("--k", type=int, help="experts per token, for strategies that route (default: the pool's)")
    parser.add_argument("--expert", help="the expert for --strategy single; for retrieval, instead of its choice")
    parser.add_argument("--time", action="store_true", help="measure and print JSON instead of writing traces")
    parser.add_argument("--tokens", type=int, help="with --time: repeat or cut the text to this many tokens")
    parser.add_argument("--repeats", type=int, default=5, help="with --time: number of runs (default 5)")
    parser.add_argument(
        "--threads", type=int, default=1, help="PyTorch's threads (default 1, so that sums are reproducible)"
    )


def chosen_text(args: argparse.Namespace) -> str | None:
    """The text from the options, with line ends unchanged."""
    return args.text_file.read_bytes().decode("utf-8") if args.text_file else args.text


def chosen_strategy(args: argparse.Namespace, pool: Pool) -> Strategy:
    """The strategy from the options."""
    if args.strategy == "single" and not args.expert:
        raise UserError("--strategy single needs --expert")
    k = args.k if args.k is not None else int(pool.manifest.get("topK", 2))
    if args.strategy in ROUTED and k < 1:
        raise UserError("--k must be at least 1")
    return Strategy(args.strategy, k, args.expert, float(pool.manifest.get("weightEpsilon", 0)))


def run(args: argparse.Namespace) -> int:
    """Write golden traces, or one trace, or measure."""
    torch.set_num_threads(args.threads)
    pool = read_pool(args.pool)
    text, strategy = chosen_text(args), chosen_strategy(args, pool)
    out = args.out or Path("test/fixtures/golden", str(pool.manifest["id"]))
    pair = is_pair(pool)
    if args.target is not None and (not pair or text is None):
        raise UserError("--target needs --text and a pool whose base is an encoder-decoder")
    if args.time and pair:
        raise UserError(f"{args.pool}: --time does not support encoder-decoders")
    if args.time:
        print(json.dumps(measure(pool, text or TIMED_TEXT, strategy, args.tokens, args.repeats)))
    elif text is None:
        with whole_folder(out) as folder:
            write_goldens(pool, folder)
    elif args.out is None:
        raise UserError("--text needs --out, the file of the trace")
    elif pair:
        settle = settled(pool, strategy, text)
        write_pair(out, pool, load_base(pool.path), PairCase("", text, args.target, settle, length=args.length))
    else:
        case = Case("", text, strategy)
        write_trace(out, *golden(pool, load_base(pool.path), load_tokenizer(pool.path), case))
    return 0


def main(argv: list[str] | None = None) -> int:
    """Entry point of ``python -m gander_training.reference``. An error prints one line and returns 1."""
    parser = argparse.ArgumentParser(
        prog="gander_training.reference", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    try:
        return run(parser.parse_args(argv))
    except (UserError, OSError, UnicodeDecodeError) as error:
        print(f"reference: {error}", file=sys.stderr)
        return 1
