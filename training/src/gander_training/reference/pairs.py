"""Golden traces of a pool on an encoder-decoder: version 2 of the trace format, with an input and an output."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from gander_routing.errors import UserError
from gander_routing.files import read_json
from gander_routing.forward_pair import PairResult, routed_generation, routed_pair
from gander_routing.pool import Module, Pool, blocks_of, modules_of
from gander_routing.strategies import Strategy, router_of
from gander_routing.whatif import Intervention, Scope
from torch import Tensor, nn

from gander_training.reference.trace import CREATED, file_hash, pool_hash, write_trace
from gander_training.texts.tokens import Encoded, encode, load_tokenizer, readable

TEXT = "question: the farmer counts sheep near the old mill every morning. why?"
TARGET = "because the gate was open and the cold wind moves it."
PREDICTIONS = 5


@dataclass(frozen=True)
class PairCase:
    """One golden trace. Without a target, the model generates the output, at most ``length`` tokens."""

    name: str
    text: str
    target: str | None
    strategy: Strategy
    interventions: tuple[Intervention, ...] = ()
    length: int = 20


def is_pair(pool: Pool) -> bool:
    """Whether the pool's base is an encoder-decoder."""
    return isinstance(pool.manifest.get("base", {}).get("model"), dict)


def pair_cases(pool: Pool) -> list[PairCase]:
    """A pool's golden traces: every strategy that needs only experts and gates, and what-ifs."""
    epsilon = float(pool.manifest.get("weightEpsilon", 0))

    def routed(name: Any, k: int) -> Strategy:
        return Strategy(name, k, epsilon=epsilon)

    first, last = pool.experts[0].id, pool.experts[-1].id
    scoped = (
        Intervention("tilt", last, Scope(stack="encoder", layer=0), 1.5),
        Intervention("knock-out", first, Scope(kind="cross-k")),
        Intervention("force", last, Scope(token=3, sequence=1)),
    )
    strategies = {f"phatgoose-k{k}": routed("phatgoose", k) for k in (1, 2, 3)}
    strategies |= {"base": Strategy("base"), f"single-{first}": Strategy("single", expert=first)}
    strategies |= {"merged": Strategy("merged"), "merged-factors": Strategy("merged-factors")}
    strategies["arrow-k3"] = routed("arrow", 3)
    if all(expert.activation for expert in pool.experts):
        strategies["average-activation-k2"] = routed("average-activation", 2)
    return [
        *(PairCase(name, TEXT, TARGET, strategy) for name, strategy in strategies.items()),
        PairCase("phatgoose-k2-generated", TEXT, None, routed("phatgoose", 2)),
        PairCase("phatgoose-k2-knock-out", TEXT, TARGET, routed("phatgoose", 2), (Intervention("knock-out", first),)),
        PairCase("phatgoose-k2-scoped", TEXT, TARGET, routed("phatgoose", 2), scoped),
    ]


def output_of(model: nn.Module, pool: Pool, tokenizer: Any, case: PairCase, read: Encoded) -> Encoded:
    """The decoder's input: its start token, then the target without its end token, or a generated output."""
    config = read_json(pool.path / pool.manifest["base"]["config"])
    start, end = config["decoder_start_token_id"], config["eos_token_id"]
    if case.target is None:
        if case.interventions:
            raise UserError("what-ifs need --target: they do not act on a generated output here")
        ids = routed_generation(
            model, pool.experts, torch.tensor(read.ids), case.strategy, multitask=pool.multitask, length=case.length
        )
        ids = ids[:-1] if ids[-1] == end and len(ids) > 1 else ids
        return Encoded(
            tokenizer.decode(ids),
            ids,
            [-1] * len(ids),
            [-1] * len(ids),
            [readable(tokenizer.id_to_token(i)) for i in ids],
        )
    given = encode(tokenizer, case.target)
    kept = len(given.ids) - 1 if given.ids[-1:] == [end] else len(given.ids)
    first = readable(tokenizer.id_to_token(start))
    return Encoded(
        case.target,
        [start, *given.ids[:kept]],
        [-1, *given.start[:kept]],
        [-1, *given.end[:kept]],
        [first, *given.tokens[:kept]],
    )


def sequence_of(role: str, encoded: Encoded) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A sequence's entry in the header, and its tensors."""
    header = {"role": role, "count": len(encoded.ids), "text": encoded.text, "tokens": encoded.tokens}
    columns = {"ids": encoded.ids, "start": encoded.start, "end": encoded.end}
    return header, {name: torch.tensor(values, dtype=torch.int32) for name, values in columns.items()}


def predicted(logits: Tensor, ids: Tensor) -> dict[str, Tensor]:
    """The model's predictions for the output's tokens [T] and after each of them."""
    log_probs = logits.log_softmax(-1)
    top = log_probs.topk(PREDICTIONS, dim=-1)
    log_prob = torch.full((len(ids),), math.nan)
    log_prob[1:] = log_probs[:-1].gather(1, ids[1:, None].long())[:, 0]
    return {"log_prob": log_prob, "top_ids": top.indices.to(torch.int32), "top_log_prob": top.values}


def site_of(module: Module) -> dict[str, Any]:
    """A module in the form of a header's site."""
    site = {"path": module.path, "layer": module.layer, "stack": module.stack, "kind": module.kind}
    return {**site, "sequence": module.sequence, "expertSet": 0}


def pair_trace(
    pool: Pool, tokenizer: Any, case: PairCase, read: Encoded, written: Encoded, result: PairResult
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A run as the tensors and the header of a trace file."""
    import transformers

    names = {expert.id: expert.name for expert in pool.experts}
    sequences: list[dict[str, Any]] = []
    tensors: dict[str, Tensor] = {}
    for index, (role, encoded) in enumerate((("input", read), ("output", written))):
        header, columns = sequence_of(role, encoded)
        sequences.append(header)
        tensors |= {f"sequence.{index}.{name}": column for name, column in columns.items()}
    said = predicted(result.logits, tensors["sequence.1.ids"])
    tensors |= {f"sequence.1.{name}": column for name, column in said.items()}
    sequences[1]["topTokens"] = [[readable(tokenizer.id_to_token(i)) for i in row] for row in said["top_ids"].tolist()]
    blocks = blocks_of(result.modules)
    for index, (start, stop) in enumerate(blocks):
        for name, column in (("score", "affinity"), *((same, same) for same in ("chosen", "weight", "contribution"))):
            tensors[f"block.{index}.{name}"] = torch.stack([seen[column] for seen in result.seen[start:stop]])
    width = result.seen[0]["chosen"].shape[1]
    return {**tensors, "last_logits": result.logits[-1]}, {
        "format": "gander-trace",
        "version": 2,
        "source": {
            "kind": "pool",
            "name": pool.manifest["name"],
            "id": pool.manifest["id"],
            "hash": pool_hash(pool.path),
            "tokenizer": file_hash(pool.path / pool.manifest["base"]["tokenizer"]),
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        },
        "router": router_of(case.strategy),
        "interventions": [item.header() for item in case.interventions],
        "sequences": sequences,
        "expertSets": [{"scope": "pool", "experts": [{"id": id, "name": names[id]} for id in result.experts]}],
        "sites": [site_of(module) for module in result.modules],
        "blocks": [{"from": start, "to": stop, "k": width} for start, stop in blocks],
        "created": CREATED,
    }


def golden_pair(
    pool: Pool, model: nn.Module, tokenizer: Any, case: PairCase
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Run one case; returns the tensors and the header of its file."""
    if not modules_of(pool.experts):
        raise UserError(f"{pool.path}: no expert adapts anything")
    read = encode(tokenizer, case.text)
    written = output_of(model, pool, tokenizer, case, read)
    result = routed_pair(
        model,
        pool.experts,
        torch.tensor(read.ids),
        torch.tensor(written.ids),
        case.strategy,
        multitask=pool.multitask,
        interventions=case.interventions,
    )
    return pair_trace(pool, tokenizer, case, read, written, result)


def write_pair(path: Path, pool: Pool, model: nn.Module, case: PairCase) -> int:
    """Write one case's trace file; returns how many tokens it has."""
    tensors, header = golden_pair(pool, model, load_tokenizer(pool.path), case)
    write_trace(path, tensors, header)
    return sum(sequence["count"] for sequence in header["sequences"])
