"""Makes an atlas from traces, document by document."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gander_trace.atlas.counts import BUDGET, Counts
from gander_trace.atlas.folder import VERSION, Atlas, write
from gander_trace.atlas.tables import Tables
from gander_trace.errors import TraceError
from gander_trace.trace import Trace


class AtlasMaker:
    """Counts the traces of a mixture of experts, one per document, and keeps none of them."""

    def __init__(self) -> None:
        self._counts: Counts | None = None
        self._run: Mapping[str, Any] = {}
        self._layers: list[Mapping[str, Any]] = []

    def add(self, trace: Trace, *, id: str, label: str | None = None, place: str | None = None) -> None:
        """Adds a document. ``id`` is unique; ``place`` says where the document is, by default its id.

        Raises ``TraceError`` if a document has this id, if the trace is of another model or another way of routing, or if
        it is no trace of one text through layers with one router each (``gander atlas make`` takes any trace).
        """
        layers = _layers(trace)
        run = _run(trace)
        if self._counts is None:
            self._run, self._layers = run, layers
            self._counts = Counts([len(one["experts"]) for one in layers])
        if layers != self._layers:
            raise TraceError(f"{id} was run by a model with other layers or experts: make an atlas for each model")
        differs = next((key for key in run if run[key] != self._run[key]), None)
        if differs is not None:
            raise TraceError(f"{id} has another {differs} than the documents before: make an atlas for each")
        counts = self._counts
        if id in counts.documents:
            raise TraceError(f"there is a document {id} already")
        if (len(counts.documents) + 1) * (counts.units + len(layers)) > BUDGET:
            raise TraceError("these are more documents than fit in memory here: use gander atlas make")
        counts.add(trace, id, label or None, id if place is None else place)

    def save(self, folder: str | os.PathLike[str]) -> Atlas:
        """Writes the atlas (name it ``*.gander-atlas``) and opens it. It can be shown and compared, but not merged.

        Raises ``TraceError`` if there is no document, if something with this name exists, or if it cannot be written.
        """
        if self._counts is None:
            raise TraceError("there is no document: add one")
        numbers = [int(one["layer"]) for one in self._layers]
        names = [expert["id"] for one in self._layers for expert in one["experts"]]
        tables = Tables(self._counts, numbers, names)
        write(Path(folder), self._about(tables), tables.rows)
        return Atlas.open(folder)

    def _about(self, tables: Tables) -> Mapping[str, Any]:
        from gander_trace import __version__

        documents = tables.documents
        lines = [json.dumps([d.id, d.hash, d.label], ensure_ascii=False, separators=(",", ":")) for d in documents]
        size = sum(d.bytes for d in documents)
        return {
            "format": "gander-atlas",
            "version": VERSION,
            "gander": f"gander-trace {__version__}",
            "run": self._run,
            "layers": self._layers,
            "corpus": {
                "label": "",
                "text": "text",
                "id": None,
                "target": None,
                "shard": None,
                "fingerprint": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
                "labels": tables.labels,
            },
            "totals": {
                "documents": len(documents),
                "tokens": sum(d.tokens for d in documents),
                "bytes": size,
                "bitsPerByte": sum(d.bits for d in documents) / size if size else None,
            },
            "shuffles": tables.chance.shuffles,
            "leftOut": [],
        }


def _layers(trace: Trace) -> list[Mapping[str, Any]]:
    numbers = [site.layer for site in trace.sites]
    plain = len(trace.sequences) == 1 and len(set(numbers)) == len(numbers) > 0
    if not plain or any(
        site.stack is not None or trace.expert_sets[site.expert_set].scope != "layer" for site in trace.sites
    ):
        raise TraceError("this is no trace of one text through layers with one router each: use gander atlas make")
    return [
        {
            "stack": site.stack,
            "layer": site.layer,
            "modules": 1,
            "experts": [{"id": one.id, "name": one.name} for one in trace.expert_sets[site.expert_set].experts],
        }
        for site in trace.sites
    ]


def _run(trace: Trace) -> Mapping[str, Any]:
    source, router = trace.source, trace.router
    return {
        "kind": source.kind,
        "name": source.name,
        "id": source.id,
        "hash": source.hash,
        "tokenizer": source.tokenizer,
        "router": {"name": router.name, "k": router.k, "scoring": router.scoring},
        "interventions": list(trace.interventions),
    }
