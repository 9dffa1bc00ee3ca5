"""The model card of a trained mixture of experts: how it was trained, and what an atlas of unseen text says about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from math import log
from pathlib import Path
from typing import Any

import yaml
from gander_routing.errors import UserError
from gander_routing.files import read_json
from gander_trace import TraceError
from gander_trace.atlas import Atlas, TableName

from gander_training.files import whole_file

Row = Mapping[str, Any]

PROPERTIES = {"kind of text": "label", "class of token": "class", "token": "token", "position": "place"}
"""As the card calls them, and as the atlas's table of layers does."""


def _rows(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def card(name: str, run: dict[str, Any], atlas: Atlas) -> str:
    """The model card, from the run's record (``training.json``) and an atlas of text that the model never saw."""
    shape, kinds = run["shape"], run["data"]["kinds"]
    front = {
        "name": name,
        "license": "apache-2.0",
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
    }
    totals = atlas.about["totals"]
    rates = "; ".join(
        f"from step {part['from_step']}: {part['batch']} windows of {part['length']} tokens, "
        + (
            f"from {part['learning_rate']:g} linearly to 0 in {part['decay'][1]} steps"
            if part["decay"]
            else f"learning rate {part['learning_rate']:g} after {part['warm_up']} steps of warm-up"
        )
        for part in run["history"]
    )
    sections = [
        f"# {name}",
        f"A mixture of experts of {run['parameters'] / 1e6:.1f} million parameters, trained from scratch with `gander-training "
        "train-moe` so that jointly trained routing can be explored without a download. Its text is poor, because it is very small "
        "and has seen little. Its routing is real: routers and experts were trained together, with a standard architecture and loss.",
        _rows(
            ["", ""],
            [
                ["architecture", "MixtralForCausalLM, embedding and head share one matrix"],
                ["layers, width", f"{shape['layers']}, {shape['width']}"],
                ["experts a layer", f"{shape['experts']} of {shape['intermediate']}, {shape['chosen']} a token"],
                ["attention heads", f"{shape['heads']}, {shape['kv_heads']} for keys and values"],
                [
                    "vocabulary",
                    f"{shape['vocabulary']}, byte-level BPE trained on the training text, each digit a token of its own",
                ],
                ["tokens seen", f"{run['tokens_seen']:,} ({run['epochs']:.2f} times {run['tokens_distinct']:,})"],
                ["steps", f"{run['steps']}: {rates}"],
                [
                    "optimiser",
                    "AdamW, betas 0.9 and 0.95, no weight decay, clip 1.0; bfloat16, float32 copies and routers",
                ],
                [
                    "load balancing",
                    f"Switch loss of each layer over a step's tokens, mean of layers, times {run['history'][-1]['balance']:g}",
                ],
                ["seed", run["history"][0]["seed"]],
                ["training loss at the end", f"{run['loss']:.3f} nats a token"],
                ["time", f"{run['hours']:.1f} h on a shared processor"],
            ],
        ),
        "## Training text",
        "Public packages, by kind, which are named at the end; their licences are in `training.json`.",
        _rows(
            ["kind", "packages", "documents", "MB", "tokens"],
            [
                [kind, len(e["packages"]), e["documents"], f"{e['bytes'] / 1e6:.1f}", f"{e['tokens']:,}"]
                for kind, e in kinds.items()
            ],
        ),
        "## Loss on unseen text",
        f"Of {totals['documents']} documents ({totals['tokens']:,} tokens) that are not in the training text. The model was not trained "
        "on the kinds with a star at all.",
        _rows(
            ["kind", "documents", "bits per byte"],
            [
                [kind if kind in kinds else f"{kind}*", count, f"{bits:.3f}" if bits is not None else "not measured"]
                for kind, count, bits in sorted(_losses(atlas), key=lambda one: (one[0] not in kinds, one[0]))
            ],
        ),
        "## Routing",
        "On the same documents. The figures are those of their atlas, which Gander's docs/atlas.md defines.",
        "### Load",
        "CV: standard deviation of the experts' shares divided by their mean, and what even draws would give. Effective: exp of the "
        "entropy of the shares. Dead: never chosen.",
        _rows(["layer", "CV", "chance", "effective", "dead", "least", "most"], list(_loads(atlas))),
        "### What predicts which expert is chosen",
        "Mutual information of the expert and a property of the token, as a share of the entropy of the choice: at 0 % the property "
        "says nothing about the choice, at 100 % it determines it. Chance: for kinds of text the mean over shuffles of the kinds "
        "among documents, for the others what independent choices would show.",
        _rows(["layer", *PROPERTIES], list(_told(atlas))),
        "### What single experts specialise in",
        "For each layer: how many experts are specialised in a kind of text, and of these the one with the largest lift (log2 of how "
        "much more often it is chosen in that kind than in all text), with its 95 % interval over documents.",
        _rows(["layer", "specialised", "expert", "kind of text", "lift"], list(_specialised(atlas))),
        "For each layer, the expert and the token that it reads furthest above what its load alone would give.",
        _rows(["layer", "expert", "token", "choices", "expected"], list(_read(atlas))),
        # Not `datasets` in the front matter, which editors show before anything else.
        "## Packages",
        "\n".join(f"- {kind}: {', '.join(f'`{one}`' for one in sorted(e['packages']))}" for kind, e in kinds.items()),
    ]
    return (
        "---\n"
        + yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=1000)
        + "---\n\n"
        + "\n\n".join(sections)
        + "\n"
    )


def _table(atlas: Atlas, name: TableName) -> list[Row]:
    return list(atlas.table(name).to_pylist())


def _losses(atlas: Atlas) -> list[tuple[str, int, float | None]]:
    """Each label with its documents and bits per byte; None if the atlas has no log-probabilities."""
    documents = sorted((row for row in _table(atlas, "documents") if row["label"]), key=lambda row: str(row["label"]))
    found: list[tuple[str, int, float | None]] = []
    for label, group in groupby(documents, lambda row: str(row["label"])):
        rows = list(group)
        size = sum(row["bytes"] for row in rows)
        bits = sum(row["bitsPerByte"] * row["bytes"] for row in rows if row["bytes"])
        found.append((label, len(rows), bits / size if size else None))
    return found


def _layered(atlas: Atlas, name: TableName) -> list[tuple[Row, list[Row]]]:
    """Each layer's row with its rows of another table."""
    rows = _table(atlas, name)
    return [(layer, [row for row in rows if row["layer"] == layer["layer"]]) for layer in _table(atlas, "layers")]


def _loads(atlas: Atlas) -> list[list[object]]:
    lines = []
    for layer, experts in _layered(atlas, "experts"):
        loads = [expert["load"] for expert in experts]
        spread = [f"{layer[name]:.2f}" for name in ("cv", "cvChance")]
        shares = [_percent(min(loads)), _percent(max(loads))]
        lines.append([layer["layer"], *spread, f"{layer['effective']:.1f}", layer["dead"], *shares])
    return lines


def _told(atlas: Atlas) -> list[list[object]]:
    lines: list[list[object]] = []
    for layer in _table(atlas, "layers"):
        entropy = log(layer["effective"])
        shares = [
            f"{_percent(layer[f'{name}Information'] / entropy)}; chance {_percent(layer[f'{name}InformationChance'] / entropy)}"
            for name in PROPERTIES.values()
        ]
        lines.append([layer["layer"], *shares])
    return lines


def _specialised(atlas: Atlas) -> list[list[object]]:
    lines: list[list[object]] = []
    for layer, labels in _layered(atlas, "labels"):
        found = [row for row in labels if row["specialised"] and row["lift"] > 0]
        count = f"{len({row['expert'] for row in found})} of {layer['experts']}"
        best = max(found, key=lambda row: row["lift"], default=None)
        told = ["", "none", ""] if best is None else [best["expert"], best["label"], _lift(best)]
        lines.append([layer["layer"], count, *told])
    return lines


def _lift(row: Row) -> str:
    return f"{row['lift']:+.2f} ({row['low']:+.2f} to {row['high']:+.2f})"


def _read(atlas: Atlas) -> list[list[object]]:
    lines: list[list[object]] = []
    for layer, tokens in _layered(atlas, "tokens"):
        read = [row for row in tokens if row["kind"] == "read"]
        best = max(read, key=lambda row: row["count"] - row["expected"], default=None)
        if best is not None:
            counts = [f"{best['count']:,}", f"{best['expected']:,.0f}"]
            lines.append([layer["layer"], best["expert"], f"`{best['token']!r}`", *counts])
    return lines


def write_card(folder: Path, atlas: Path, name: str) -> None:
    """Write the ``README.md`` of a folder from ``train-moe`` or ``export-moe``."""
    run = read_json(folder / "training.json")
    try:
        text = card(name, run, Atlas.open(atlas))
    except TraceError as error:
        raise UserError(str(error)) from None
    with whole_file(folder / "README.md") as path:
        path.write_text(text, encoding="utf-8")
