"""Makes an atlas from traces, document by document."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gander_trace.atlas.columns import LAYER
from gander_trace.atlas.counts import BUDGET, Counts
from gander_trace.atlas.folder import VERSION, Atlas, write
from gander_trace.atlas.sums import packed
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
        it is no trace of a mixture (``gander atlas make`` takes any trace).
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
        """Writes the atlas (name it ``*.gander-atlas``) and opens it. ``gander`` shows, compares and merges it like any other.

        Raises ``TraceError`` if there is no document, if something with this name exists, or if it cannot be written.
        """
        if self._counts is None:
            raise TraceError("there is no document: add one")
        places = [{name: one[name] for name in LAYER} for one in self._layers]
        names = [expert["id"] for one in self._layers for expert in one["experts"]]
        tables = Tables(self._counts, places, names)
        write(Path(folder), self._about(tables), tables.rows, packed(self._counts, self._layers))
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
    """Those of atlas.json. A layer may have several routers of different kinds, each with its own experts."""
    sites = trace.sites
    numbers = [site.layer for site in sites]
    local = all(trace.expert_sets[site.expert_set].scope == "layer" and site.stack is None for site in sites)
    of = {(site.layer, site.kind) for site in sites}, {(site.layer, site.expert_set) for site in sites}
    apart = all(len(one) == len(sites) > 0 for one in of)
    if len(trace.sequences) != 1 or not local or not apart:
        raise TraceError("this is no trace of one text through routers with their own experts: use gander atlas make")
    return [
        {
            "stack": site.stack,
            "layer": site.layer,
            "router": site.kind if numbers.count(site.layer) > 1 else None,
            "modules": 1,
            "experts": [{"id": one.id, "name": one.name} for one in trace.expert_sets[site.expert_set].experts],
        }
        for site in sites
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
