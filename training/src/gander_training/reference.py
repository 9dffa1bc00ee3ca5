"""Golden traces: what the routed model computes, by the plain PyTorch forward pass of ``routed``.

``python -m gander_training.reference --pool POOL --out FOLDER`` writes the pool's golden traces, each a file in the
trace format (docs/trace-format.md) with a few more tensors that tests need:

=============== ================= ==================================================================================
``last_logits`` [V] F32           logits after the last token
``bias``        [M, T, N] F32     what was added to the affinities, where that was a tensor, not an intervention
``fixed``       [M, T, N] F32     what stood in for the router, likewise; NaN where the router decided
=============== ================= ==================================================================================

``--text`` traces one text instead; ``--time`` measures the forward pass and prints JSON. A pool whose base is an
encoder-decoder has traces of two sequences (``pair_traces``): ``--target`` is its output, which it writes itself otherwise.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import math
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from gander_routing.errors import UserError
from gander_routing.files import read_json
from gander_routing.forward import RoutedResult, routed_forward
from gander_routing.pool import Pool, modules_of, read_pool
from gander_routing.retrieval import retrievable, retrieve
from gander_routing.strategies import ROUTED, Strategy, StrategyName
from gander_routing.whatif import Intervention, Scope
from safetensors.torch import save_file
from torch import Tensor, nn

from gander_training.files import whole_file, whole_folder

__all__ = ["Encoded", "encode", "load_base", "main", "routed_forward", "trace_of"]

SEED = 20240205
# A golden trace must come out the same whenever it is made, so it does not say when that was.
CREATED = "1970-01-01T00:00:00Z"
TIMED_TEXT = "def route(tokens):\n    return [max(experts, key=lambda e: e.score(t)) for t in tokens]\n\n"


# The base and the tokenizer


def load_base(pool: Path) -> nn.Module:
    """The pool's base as a transformers causal LM in F32, eval mode, with its ONNX file's weights, dequantised."""
    from gander_routing.base import load_shipped

    model, _ = load_shipped(pool, torch.float32)
    result: nn.Module = model
    return result


@dataclass(frozen=True)
class Encoded:
    """A text as tokens; offsets in UTF-16 code units, −1 for a special token."""

    text: str
    ids: list[int]
    start: list[int]
    end: list[int]
    tokens: list[str]


def utf16_offsets(text: str) -> list[int]:
    """The UTF-16 offset of each code point of ``text``, and of its end."""
    offsets = [0]
    for character in text:
        offsets.append(offsets[-1] + (2 if ord(character) > 0xFFFF else 1))
    return offsets


def readable(token: str) -> str:
    """A byte-level token as text where its bytes are whole characters, as the vocabulary spells it otherwise."""
    from gander_training.tiny import byte_alphabet

    byte_of = {symbol: byte for byte, symbol in byte_alphabet().items()}
    try:
        return bytes(byte_of[symbol] for symbol in token).decode("utf-8")
    except (KeyError, UnicodeDecodeError):
        return token


def load_tokenizer(pool: Path) -> Any:
    """The pool's tokenizer."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(pool / read_json(pool / "pool.json")["base"]["tokenizer"]))


def encode(tokenizer: Any, text: str) -> Encoded:
    """Tokenize ``text`` as a model's input, special tokens included."""
    encoding = tokenizer.encode(text)
    at = utf16_offsets(text)
    special = encoding.special_tokens_mask
    spans = [(-1, -1) if s else (at[a], at[b]) for s, (a, b) in zip(special, encoding.offsets, strict=True)]
    return Encoded(
        text,
        encoding.ids,
        [start for start, _ in spans],
        [end for _, end in spans],
        [readable(token) for token in encoding.tokens],
    )


# Traces


def file_hash(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pool_hash(pool: Path) -> str:
    """SHA-256 over the lines ``<sha256>  <path>`` of every file of JSON, weights or ONNX, sorted by path."""
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
    """Leave out the modules of other layers, in place, to keep a file small."""
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
        temporary.chmod(0o644)  # safetensors writes files that only their owner may read


# What is golden


@dataclass(frozen=True)
class Case:
    """One golden trace."""

    name: str
    text: str
    strategy: Strategy
    interventions: tuple[Intervention, ...] = ()
    given: str = ""  # "bias" or "fixed": random numbers in place of interventions
    affinity: bool = True
    logits: bool = True
    layers: tuple[int, ...] = ()  # only these layers' modules are written; none: all
    half: bool = False  # of the base as a float16 export has it


TINY_TEXT = "cafe\u0301 \U0001f9a2 the 12 experts\r\n\tif (na\u00efve) \U0001f469\u200d\U0001f52c\u65e5"
TINY_TEXTS = {
    "code": "def route(tokens):\r\n\treturn [expert for expert in experts]\n",
    "mark": "\u0301a",
    "empty": "",
}
TEXTS = {
    "python": "def area(r: float) -> float:\n    return math.pi * r ** 2\n",
    "html": '<p class="note">caf\u00e9 \U0001f9a2</p>\r\n\t<script>let x = 1;</script>',
    "sql": "SELECT name, COUNT(*) FROM users GROUP BY name;\n",
}

# Of each the second nearest expert is behind by more than rounding could make up for: test/engine/retriever.test.ts.
RETRIEVED = (
    "import os\n\n\nclass Flock(list):\n    def geese(self) -> int:\n        return sum(1 for bird in self if isinstance(bird, Goose))\n",
    "SELECT name, COUNT(*) FROM users JOIN orders ON users.id = orders.user_id GROUP BY name;\n",
    '{"name": "goose", "version": "1.0.0", "dependencies": {"lodash": "^4.17.21"}}\n',
    "body { margin: 0; }\n.goose { color: #333; display: flex; }\n",
    "static char *copy(const char *from, size_t length)\n{\n    char *to = malloc(length + 1);\n    return memcpy(to, from, length);\n}\n",
)


def phatgoose(k: int) -> Strategy:
    """PHATGOOSE with k experts."""
    return Strategy("phatgoose", k)


def tiny_cases(ids: Sequence[str]) -> list[Case]:
    """The golden traces of the tiny pool: every strategy, every kind of intervention, on one awkward text."""
    first, second, third = ids[:3]
    everywhere = Intervention("knock-out", second)
    scoped = (
        Intervention("tilt", third, Scope(layer=0), 1.5),
        Intervention("knock-out", first, Scope(layer=1, kind="v")),
        Intervention("force", second, Scope(token=3)),
        Intervention("tilt", first, Scope(module="model.layers.1.mlp.down_proj", token=5), -2.0),
    )
    cases = [Case(f"phatgoose-k{k}", TINY_TEXT, phatgoose(k)) for k in (1, 2, 3)]
    cases += [Case(f"phatgoose-k2-{name}", text, phatgoose(2)) for name, text in TINY_TEXTS.items()]
    cases += [Case(f"single-{e}", TINY_TEXT, Strategy("single", expert=e)) for e in (first, third)]
    fixed: tuple[StrategyName, ...] = ("merged", "base", "multitask")
    cases += [Case(name, TINY_TEXT, Strategy(name)) for name in fixed]
    cases += [
        Case("average-activation-k2", TINY_TEXT, Strategy("average-activation", 2)),
        Case("arrow-k3", TINY_TEXT, Strategy("arrow", 3)),
        Case("retrieval", "for j in range(3): print(j)", Strategy("retrieval")),
        Case("phatgoose-k2-knock-out", TINY_TEXT, phatgoose(2), (everywhere,)),
        Case("phatgoose-k2-scoped", TINY_TEXT, phatgoose(2), scoped),
        Case("phatgoose-k2-bias", TINY_TEXT, phatgoose(2), given="bias"),
        Case("phatgoose-k2-fixed", TINY_TEXT, phatgoose(2), given="fixed"),
        Case("merged-knock-out", TINY_TEXT, Strategy("merged"), (everywhere,)),
        Case("phatgoose-k2-half", TINY_TEXT, phatgoose(2), half=True),
    ]
    return cases


def shipped_cases(pool: Pool) -> list[Case]:
    """The golden traces of a pool of real size: everything once in full, the rest cut down to stay small."""
    layers = [module.layer for module in modules_of(pool.experts)]
    few = (layers[0], layers[len(layers) // 2], layers[-1])
    text = TEXTS["python"]
    first, last = pool.experts[0].id, pool.experts[-1].id
    cases = [
        Case("phatgoose-k2-python", text, phatgoose(2)),
        Case("phatgoose-k2-html", TEXTS["html"], phatgoose(2), logits=False),
        Case("phatgoose-k2-sql", TEXTS["sql"], phatgoose(2), affinity=False, logits=False),
        Case("phatgoose-k1", text, phatgoose(1), affinity=False, logits=False),
        Case("phatgoose-k3", text, phatgoose(3), affinity=False, logits=False),
        Case("phatgoose-k2-knock-out", text, phatgoose(2), (Intervention("knock-out", first),), "", False, False),
        Case("base", text, Strategy("base"), layers=few),
        Case("merged", text, Strategy("merged"), layers=few),
        Case("arrow-k3", text, Strategy("arrow", 3), logits=False, layers=few),
    ]
    cases += [
        Case(f"single-{e}", text, Strategy("single", expert=e), logits=e == first, layers=few) for e in (first, last)
    ]
    if all(expert.activation for expert in pool.experts):
        strategy = Strategy("average-activation", 2)
        cases.append(Case("average-activation-k2", text, strategy, logits=False, layers=few))
    if retrievable(pool):
        retrieved = Strategy("retrieval")
        cases.append(Case("retrieval", RETRIEVED[0], retrieved, affinity=False, logits=False, layers=few))
    if pool.multitask:
        cases.append(Case("multitask", text, Strategy("multitask"), logits=False, layers=few))
    return cases


def cases_of(pool: Pool) -> list[Case]:
    """The golden traces that a pool should have."""
    return tiny_cases([expert.id for expert in pool.experts]) if pool.manifest["id"] == "tiny" else shipped_cases(pool)


def random_tensor(case: Case, shape: tuple[int, ...]) -> Tensor:
    """The bias or the fixed weights of a case that has them as numbers; a third of each is left to the router."""
    rng = np.random.default_rng([SEED, len(case.given)])
    values = torch.from_numpy(rng.standard_normal(shape).astype(np.float32))
    free = torch.from_numpy(rng.random(shape[:2]) < 1 / 3)
    if case.given == "bias":
        return values.masked_fill(free[..., None], 0)
    return values.abs().masked_fill(values < -1, 0).masked_fill(free[..., None], math.nan)


def settled(pool: Pool, strategy: Strategy, text: str) -> Strategy:
    """``strategy`` with the expert that retrieval picks for ``text``, where it is retrieval and names none."""
    if strategy.name != "retrieval" or strategy.expert:
        return strategy
    return Strategy("retrieval", expert=retrieve(pool, text))


def golden(pool: Pool, model: nn.Module, tokenizer: Any, case: Case) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Run one case: the tensors and the header of its file."""
    encoded, strategy = encode(tokenizer, case.text), settled(pool, case.strategy, case.text)
    shape = len(modules_of(pool.experts)), len(encoded.ids), len(pool.experts)
    given: dict[str, Any] = {case.given: random_tensor(case, shape)} if case.given else {}
    result = routed_forward(
        model,
        pool.experts,
        torch.tensor(encoded.ids),
        strategy,
        multitask=pool.multitask,
        interventions=case.interventions,
        **given,
    )
    tensors, header = trace_of(pool, tokenizer, encoded, result, strategy, case.interventions)
    if case.layers:
        only_layers(tensors, header, case.layers)
    for name, kept in (("affinity", case.affinity), ("last_logits", case.logits)):
        if not kept:
            del tensors[name]
    return {**tensors, **given}, header


def as_half(model: nn.Module) -> nn.Module:
    """A copy with the numbers of a float16 export: weights, and the root of the attention's scale, rounded."""
    result = copy.deepcopy(model).half().float()
    attention: Any
    for attention in result.modules():
        if hasattr(attention, "scaling"):
            attention.scaling = float(np.float16(attention.scaling**0.5)) ** 2
    return result


def write_goldens(pool: Pool, folder: Path) -> None:
    """Write every golden trace of ``pool`` into ``folder``."""
    from gander_training.pair_traces import is_pair, pair_cases, write_pair

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


# Timing


def timings(run: Any, repeats: int) -> list[float]:
    """Milliseconds of each of ``repeats`` calls, after one that does not count."""
    run()
    out = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        out.append(round((time.perf_counter() - started) * 1000, 3))
    return out


def measure(pool: Pool, text: str, strategy: Strategy, tokens: int | None, repeats: int) -> dict[str, Any]:
    """The time of one routed forward pass with its trace, and of the base alone, on the same tokens."""
    model, tokenizer = load_base(pool.path), load_tokenizer(pool.path)
    strategy, ids = settled(pool, strategy, text), encode(tokenizer, text).ids
    if tokens is not None:
        own = encode(tokenizer, text * math.ceil(tokens / max(1, len(ids) - 1))).ids
        ids = own[:tokens]
    batch = torch.tensor([ids])

    def base() -> None:
        with torch.no_grad():
            model(input_ids=batch, use_cache=False)

    routed = timings(lambda: routed_forward(model, pool.experts, batch, strategy, multitask=pool.multitask), repeats)
    alone = timings(base, repeats)
    return {
        "pool": pool.manifest["id"],
        "strategy": strategy.header(),
        "tokens": len(ids),
        "threads": torch.get_num_threads(),
        "ms": statistics.median(routed),
        "baseMs": statistics.median(alone),
        "runs": routed,
        "baseRuns": alone,
    }


# The command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``reference``."""
    parser.add_argument("--pool", type=Path, default=Path("test/fixtures/tiny-pool"), help="pool folder")
    parser.add_argument(
        "--out", type=Path, help="folder of the golden traces (with --text, the trace's file); default by the pool's id"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--text", help="trace this text in place of the golden ones")
    source.add_argument("--text-file", type=Path, help="the same, from a UTF-8 file")
    parser.add_argument("--target", help="with --text, on an encoder-decoder: its output (default: what it writes)")
    parser.add_argument("--length", type=int, default=20, help="tokens it writes at most (default: %(default)s)")
    parser.add_argument("--strategy", choices=get_args(StrategyName), default="phatgoose")
    parser.add_argument("--k", type=int, help="experts a token, for the strategies that route (default: the pool's)")
    parser.add_argument("--expert", help="the expert of --strategy single; for retrieval, in place of its pick")
    parser.add_argument("--time", action="store_true", help="measure, and print JSON, in place of writing traces")
    parser.add_argument("--tokens", type=int, help="with --time: repeat or cut the text to so many tokens")
    parser.add_argument("--repeats", type=int, default=5, help="with --time: runs that count (default 5)")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch (default 1: the same sums each time)")


def chosen_text(args: argparse.Namespace) -> str | None:
    """The text that the options name, line ends untouched."""
    return args.text_file.read_bytes().decode("utf-8") if args.text_file else args.text


def chosen_strategy(args: argparse.Namespace, pool: Pool) -> Strategy:
    """The strategy that the options name."""
    if args.strategy == "single" and not args.expert:
        raise UserError("--strategy single needs --expert")
    k = args.k if args.k is not None else int(pool.manifest.get("topK", 2))
    if args.strategy in ROUTED and k < 1:
        raise UserError("--k must be at least 1")
    return Strategy(args.strategy, k, args.expert, float(pool.manifest.get("weightEpsilon", 0)))


def run(args: argparse.Namespace) -> int:
    """Write golden traces, or one trace, or measure."""
    from gander_training.pair_traces import PairCase, is_pair, write_pair

    torch.set_num_threads(args.threads)
    pool = read_pool(args.pool)
    text, strategy = chosen_text(args), chosen_strategy(args, pool)
    out = args.out or Path("test/fixtures/golden", str(pool.manifest["id"]))
    pair = is_pair(pool)
    if args.target is not None and (not pair or text is None):
        raise UserError("--target goes with --text, on a pool whose base is an encoder-decoder")
    if args.time and pair:
        raise UserError(f"{args.pool}: --time measures pools whose base has one text")
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
    """Entry point of ``python -m gander_training.reference``: errors are one line and exit code 1."""
    parser = argparse.ArgumentParser(
        prog="gander_training.reference", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    try:
        return run(parser.parse_args(argv))
    except (UserError, OSError, UnicodeDecodeError) as error:
        print(f"reference: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
