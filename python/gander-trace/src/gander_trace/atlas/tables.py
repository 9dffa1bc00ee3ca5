"""The rows of an atlas's tables, made from counts: the same as in src/atlas/tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Seq
from typing import Any

import numpy as np

from gander_trace.atlas import chance as chances
from gander_trace.atlas.chance import Chance, Group
from gander_trace.atlas.columns import TableName
from gander_trace.atlas.counts import OTHER_TOKENS, TOKEN_KINDS, Counts
from gander_trace.atlas.javascript import text_order
from gander_trace.columns import Array

Row = dict[str, Any]

LEVEL = 0.05
LEAST_LIFT = 1
LEAST_OCCURRENCES = 3
MOST_TOKENS = 50
MOST_PAIRS = 1000
ALL_UP_TO = 16


class Tables:
    """``layers``: [L] the cells that say which each is; ``names``: [U] the experts' ids."""

    def __init__(self, counts: Counts, layers: Seq[Row], names: Seq[str]) -> None:
        self.counts, self.layers, self.names = counts, layers, names
        self.documents = [counts.documents[id] for id in sorted(counts.documents, key=text_order)]
        self.labels = sorted({one.label for one in self.documents if one.label is not None}, key=text_order)
        self.total = Group.of(self.documents, counts)
        self.groups = [Group.of([one for one in self.documents if one.label == label], counts) for label in self.labels]
        self.chance: Chance = chances.chance_of(counts, self.labels)

    @property
    def rows(self) -> dict[TableName, list[Row]]:
        labels = list(self._labels())
        return {
            "experts": list(self._experts(labels)),
            "labels": labels,
            "tokens": list(self._tokens()),
            "contexts": list(self._contexts()),
            "layers": [self._layer(layer) for layer in range(len(self.layers))],
            "pairs": list(self._pairs()),
            "coverage": list(self._coverage()),
            "documents": list(self._documents()),
            "ablations": [],
        }

    def _unit(self, u: int) -> Row:
        layer = int(self.counts.layer_of[u])
        expert = u - int(self.counts.starts[layer])
        return {**self.layers[layer], "expert": expert, "name": self.names[u]}

    def _of(self, values: Array, layer: int) -> Array:
        """One layer's part of [..., U]."""
        return values[..., self.counts.starts[layer] : self.counts.starts[layer + 1]]

    def _experts(self, labels: Seq[Row]) -> Iterator[Row]:
        counts, chosen = self.counts, self.total.chosen.sum(0)
        load, (low, high) = self.total.load, chances.load_interval(self.total)
        weight, score, chance = counts.weight.means, counts.score.means, counts.chance.means
        special = chances.specialisation(*self._sums())
        for u in range(counts.units):
            own = labels[u * len(self.labels) : (u + 1) * len(self.labels)]
            above = [row for row in own if row["specialised"] and (row["lift"] or 0) > 0]
            best = max(above, key=lambda row: float(row["lift"]), default={"label": None})
            yield self._unit(u) | {
                "tokens": int(chosen[u]),
                "documents": int((self.total.chosen[:, u] > 0).sum()),
                "load": load[u],
                "low": low[u],
                "high": high[u],
                "chance": chance[counts.layer_of[u]],
                "weight": weight[u],
                "score": score[u],
                "first": counts.first[u] / chosen[u] if chosen[u] else None,
                "dead": bool(chosen[u] == 0),
                "specialisation": special[u],
                "specialisationChance": self.chance.specialisation[u],
                "label": best["label"],
            }

    def _sums(self) -> tuple[Array, Array]:
        """[labels, U] twice."""
        shape = (len(self.groups), self.counts.units)
        chosen = np.array([group.chosen.sum(0) for group in self.groups]).reshape(shape)
        return chosen, np.array([group.choices.sum(0) for group in self.groups]).reshape(shape)

    def _labels(self) -> Iterator[Row]:
        q = chances.false_discovery(self.chance.p.ravel()).reshape(self.chance.p.shape)
        found = []
        for group in self.groups:
            value = chances.lift(group, self.total)
            low, high = chances.lift_interval(group, self.total, value)
            halves = [chances.lift(group.in_half(half), self.total.in_half(half)) for half in (0, 1)]
            found.append((group, value, low, high, halves))
        for u in range(self.counts.units):
            for i, (group, value, low, high, halves) in enumerate(found):
                lift, first, second = float(value[u]), float(halves[0][u]), float(halves[1][u])
                alike = np.sign(first) == np.sign(lift) and np.sign(second) == np.sign(lift)
                yield self._unit(u) | {
                    "label": self.labels[i],
                    "tokens": int(group.chosen[:, u].sum()),
                    "share": group.load[u],
                    "lift": _finite(lift),
                    "low": low[u],
                    "high": high[u],
                    "p": self.chance.p[i, u],
                    "q": q[i, u],
                    "firstHalf": _finite(first),
                    "secondHalf": _finite(second),
                    "specialised": bool(abs(lift) >= LEAST_LIFT and q[i, u] <= LEVEL and alike),
                }

    def _tokens(self) -> Iterator[Row]:
        counts, load = self.counts, self.total.load
        tables = {kind: _stacked(found, counts.units) for kind, found in counts.tokens.items()}
        for u in range(counts.units):
            layer = int(counts.layer_of[u])
            for kind in TOKEN_KINDS:
                ids, table = tables[kind]
                expected = load[u] * self._of(table, layer).sum(-1)
                count = table[:, u]
                kept = np.nonzero((ids != OTHER_TOKENS) & (count >= LEAST_OCCURRENCES))[0]
                order = np.lexsort((ids[kept], -(count[kept] - expected[kept])))[:MOST_TOKENS]
                for i in kept[order]:
                    yield self._unit(u) | {
                        "kind": kind,
                        "id": int(ids[i]),
                        "token": counts.spelled.get(int(ids[i])),
                        "count": int(count[i]),
                        "expected": expected[i],
                        "lift": np.log2(count[i] / expected[i]),
                    }

    def _contexts(self) -> Iterator[Row]:
        for u in range(self.counts.units):
            for kind, kept in self.counts.contexts.items():
                for rank, context in enumerate(kept[u]):
                    yield self._unit(u) | {"kind": kind, "rank": rank} | context

    def _layer(self, layer: int) -> Row:
        counts = self.counts
        chosen = self._of(self.total.chosen.sum(0), layer)
        choices, cells = int(chosen.sum()), int(counts.cells[layer])
        token_ids, tokens = _stacked(counts.tokens["read"], counts.units)
        by_label, _ = chances.information(self._of(self._sums()[0], layer))
        row = {
            **self.layers[layer],
            "experts": counts.experts[layer],
            "cells": cells,
            "choices": choices,
            **_evenness(chosen, cells),
            "scoreEntropy": counts.entropy.means[layer],
            "topProbability": counts.mass.means[layer],
            "topProbabilityChance": choices / cells / counts.experts[layer] if cells else None,
            "margin": counts.margin.means[layer],
            "labelInformation": by_label if len(self.labels) > 1 else None,
            "labelInformationChance": self.chance.information[layer],
        }
        for name, table in (("token", tokens), ("class", counts.by_class), ("place", counts.by_place)):
            value, chance = chances.information(self._of(table, layer))
            row |= {f"{name}Information": value, f"{name}InformationChance": chance}
        return row

    def _pairs(self) -> Iterator[Row]:
        for layer in range(len(self.layers)):
            together = self.counts.together[layer]
            own = np.diag(together)
            a, b = np.nonzero(np.triu(together, 1))
            yield from self._pair_rows(layer, "together", a, b, together, own[a] * own[b] / self.counts.cells[layer])
            if layer + 1 < len(self.layers):
                following = self.counts.following[layer]
                a, b = np.nonzero(following)
                here, there = (self._of(self.total.chosen.sum(0), at) for at in (layer, layer + 1))
                expected = here[a] * there[b] / self.counts.steps[layer]
                yield from self._pair_rows(layer, "next layer", a, b, following, expected)

    def _pair_rows(self, layer: int, kind: str, a: Array, b: Array, table: Array, expected: Array) -> Iterator[Row]:
        count = table[a, b]
        for i in np.lexsort((b, a, -(count - expected)))[:MOST_PAIRS]:
            yield {
                **self.layers[layer],
                "kind": kind,
                "a": int(a[i]),
                "b": int(b[i]),
                "count": int(count[i]),
                "expected": expected[i],
                "lift": np.log2(count[i] / expected[i]),
            }

    def _coverage(self) -> Iterator[Row]:
        halves = [self.total.in_half(half).chosen.sum(0) for half in (0, 1)]
        for layer, place in enumerate(self.layers):
            found, measured = (self._of(half, layer) for half in halves)
            most = np.argsort(-found, kind="stable")
            N = len(found)
            for n in (n for n in range(1, N + 1) if n <= ALL_UP_TO or n == N or n & (n - 1) == 0):
                share = measured[most[:n]].sum() / measured.sum() if measured.sum() else None
                yield {**place, "n": n, "share": share, "chance": n / N}

    def _documents(self) -> Iterator[Row]:
        for one in self.documents:
            yield {
                "document": one.id,
                "label": one.label,
                "place": one.place,
                "hash": one.hash,
                "half": one.half,
                "parts": 1,
                "tokens": one.tokens,
                "bytes": one.bytes,
                "bitsPerByte": one.bits / one.bytes if one.bytes else None,
            }


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _stacked(found: Mapping[int, Array], units: int) -> tuple[Array, Array]:
    """Ids in order, and their counts [ids, U]."""
    ids = sorted(found)
    return np.array(ids, int), np.array([found[id] for id in ids]).reshape(-1, units)


def _evenness(chosen: Array, cells: int) -> Row:
    """src/statistics/load.ts: the load's figures, and what as many independent even choices would show."""
    n, choices = len(chosen), int(chosen.sum())
    if choices == 0:
        return {"dead": n}
    share = chosen / choices
    entropy = float(-(share[share > 0] * np.log(share[share > 0])).sum())
    k = choices / cells
    variance = (n - k) / (k * cells)
    even = max(0.0, 1 - variance / (2 * float(np.log(n)))) if n > 1 else float("nan")
    return {
        "cv": share.std() * n,
        "cvChance": float(np.sqrt(variance)),
        "entropy": entropy / float(np.log(n)) if n > 1 else None,
        "entropyChance": even,
        "effective": float(np.exp(entropy)),
        "effectiveChance": n**even,
        "maxVio": share.max() * n - 1,
        "dead": int((chosen == 0).sum()),
        "deadChance": n * (1 - k / n) ** cells,
    }
