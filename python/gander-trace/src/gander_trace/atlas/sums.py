"""sums.safetensors: what ``gander atlas merge`` needs of an atlas, as in src/atlas/sums.ts and src/atlas/pack.ts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as Seq
from typing import Any

import numpy as np
from safetensors.numpy import save

from gander_trace.atlas.chance import Group
from gander_trace.atlas.counts import CONTEXT_KINDS, TOKEN_KINDS, Counts, Document, Means
from gander_trace.atlas.javascript import text_order
from gander_trace.columns import Array

RADIX = 2**20
"""The value of 1 in ``high`` of an exact sum."""
UNLABELLED = ""


def packed(counts: Counts, layers: Seq[Mapping[str, Any]]) -> bytes:
    """The bytes of the file. ``layers``: those of atlas.json."""
    tensors: dict[str, Array] = {}

    def apart(value: Any) -> Any:
        """Arrays become tensors, which the JSON names by their number."""
        if isinstance(value, np.ndarray):
            tensors[str(len(tensors))] = np.ascontiguousarray(value.ravel(), np.float64)
            return {"$array": len(tensors) - 1}
        if isinstance(value, Mapping):
            return {key: apart(part) for key, part in value.items()}
        return [apart(part) for part in value] if isinstance(value, list) else value

    rest = json.dumps(apart({"layers": list(layers), "figures": _figures(counts)})).encode()
    return save({**tensors, "json": np.frombuffer(rest, np.uint8)})


def _figures(counts: Counts) -> Mapping[str, Any]:
    documents = [counts.documents[id] for id in sorted(counts.documents, key=text_order)]
    return {
        "choices": _choices(counts, documents),
        "weights": {"weight": _means(counts.weight), "score": _means(counts.score), "first": counts.first},
        "certainty": {name: _means(getattr(counts, name)) for name in ("entropy", "margin", "mass")},
        "vocabulary": _vocabulary(counts),
        "contexts": {kind: counts.contexts[kind] for kind in CONTEXT_KINDS},
        "pairs": {
            "together": counts.together,
            # The last layer has no next one.
            "following": [*counts.following, np.zeros(0)],
            "cells": np.where([table.size > 0 for table in counts.together], counts.cells, 0),
            "steps": counts.steps,
        },
        "classes": {"byClass": counts.by_class, "byPlace": counts.by_place},
        "documents": {
            "documents": [
                {
                    "id": one.id,
                    "label": one.label,
                    "hash": one.hash,
                    "place": one.place,
                    "parts": 1,
                    "tokens": one.tokens,
                    "bits": one.bits,
                    "bytes": one.bytes,
                }
                for one in documents
            ]
        },
    }


def _choices(counts: Counts, documents: Seq[Document]) -> Mapping[str, Any]:
    labels = sorted({one.label or UNLABELLED for one in documents}, key=text_order)
    return {
        "cells": counts.cells,
        "chance": _means(counts.chance),
        "groups": [
            _group(counts, label, [one for one in documents if (one.label or UNLABELLED) == label]) for label in labels
        ],
        "documents": [{"id": one.id, "label": one.label} for one in documents],
        "counts": np.concatenate([np.concatenate([one.chosen, one.choices]) for one in documents]),
    }


def _group(counts: Counts, label: str, documents: Seq[Document]) -> Mapping[str, Any]:
    group = Group.of(documents, counts)
    choices = np.array([one.choices for one in documents])
    halves = [group.half == half for half in (0, 1)]
    return {
        "label": label,
        "documents": np.array([half.sum() for half in halves]),
        "chosen": [group.chosen[half].sum(0) for half in halves],
        "choices": [choices[half].sum(0) for half in halves],
        "within": (group.chosen > 0).sum(0),
        "squares": _exact((group.chosen**2).sum(0)),
        "products": _exact((group.chosen * group.choices).sum(0)),
        "wholes": _exact((choices**2).sum(0)),
    }


def _vocabulary(counts: Counts) -> Mapping[str, Any]:
    spelled = sorted(counts.spelled)
    return {
        "ids": np.array(spelled),
        "texts": [counts.spelled[id] for id in spelled],
        **{kind: _table(counts.tokens[kind]) for kind in TOKEN_KINDS},
    }


def _table(found: Mapping[int, Array]) -> Mapping[str, Any]:
    ids = sorted(found)
    return {"ids": np.array(ids), "counts": _joined(found[id] for id in ids)}


def _joined(rows: Iterable[Array]) -> Array:
    return np.concatenate([np.zeros(0), *rows])


def _exact(sums: Array) -> Mapping[str, Any]:
    return {"high": sums // RADIX, "low": sums % RADIX}


def _means(means: Means) -> Mapping[str, Any]:
    return {**_exact(means.sums), "counts": means.counts}
