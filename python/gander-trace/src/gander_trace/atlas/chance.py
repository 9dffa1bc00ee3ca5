"""What figures would be if labels had nothing to do with choices, and intervals: src/atlas/chance.ts and src/atlas/lift.ts."""

from __future__ import annotations

from collections.abc import Sequence as Seq
from dataclasses import dataclass

import numpy as np

from gander_trace.atlas.counts import Counts, Document
from gander_trace.atlas.javascript import Random, text_order
from gander_trace.columns import Array

LEAST_DOCUMENTS = 5
MOST_SHUFFLES, LEAST_SHUFFLES, WORK = 999, 199, 2**32
BINS, BINS_PER_UNIT = 4096, 64


@dataclass(frozen=True)
class Group:
    """What some documents chose: [D, U] and, at the unit's layer, [D, U]."""

    chosen: Array
    choices: Array
    half: Array

    @classmethod
    def of(cls, documents: Seq[Document], counts: Counts) -> Group:
        chosen = np.array([one.chosen for one in documents]).reshape(-1, counts.units)
        choices = np.array([one.choices for one in documents]).reshape(-1, len(counts.experts))[:, counts.layer_of]
        return cls(chosen, choices, np.array([one.half for one in documents]))

    @property
    def load(self) -> Array:
        """[U]"""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.chosen.sum(0) / self.choices.sum(0))

    def in_half(self, half: int) -> Group:
        mask = self.half == half
        return Group(self.chosen[mask], self.choices[mask], self.half[mask])


def load_interval(total: Group) -> tuple[Array, Array]:
    """[U] of a ratio of sums with documents as clusters, on a log scale (Cochran 1977, ch. 6)."""
    n = len(total.half)
    load, chosen = total.load, total.chosen.sum(0)
    if n < LEAST_DOCUMENTS:
        return np.full(len(load), np.nan), np.full(len(load), np.nan)
    with np.errstate(all="ignore"):
        influence = total.chosen / chosen - total.choices / total.choices.sum(0)
        factor = np.exp(student_quantile(n - 1) * np.sqrt((influence**2).sum(0) * n / (n - 1)))
        return np.where(chosen > 0, load / factor, np.nan), np.where(chosen > 0, np.minimum(1, load * factor), np.nan)


def lift(group: Group, total: Group) -> Array:
    """[U]"""
    with np.errstate(all="ignore"):
        return np.asarray(np.log2(group.load / total.load))


def lift_interval(group: Group, total: Group, value: Array) -> tuple[Array, Array]:
    """[U] by linearisation: each document's influence on log P(unit given label) − log P(unit), squared and summed."""
    n, others = len(group.half), len(total.half) - len(group.half)
    nothing = np.full(len(value), np.nan)
    if n < LEAST_DOCUMENTS:
        return nothing, nothing
    with np.errstate(all="ignore"):
        a, b = 1 / total.chosen.sum(0), 1 / total.choices.sum(0)
        mine = group.chosen.sum(0)
        own = group.chosen * (1 / mine - a) - group.choices * (1 / group.choices.sum(0) - b)
        outside = ((total.chosen * a - total.choices * b) ** 2).sum(0)
        outside = outside - ((group.chosen * a - group.choices * b) ** 2).sum(0)
        variance = (own**2).sum(0) * n / (n - 1)
        if others > 1:
            variance = variance + outside * others / (others - 1)
        half = student_quantile(n - 1) * np.sqrt(np.maximum(0, variance)) / np.log(2)
        return np.where(mine > 0, value - half, np.nan), np.where(mine > 0, value + half, np.nan)


def student_quantile(freedom: int) -> float:
    """The 97.5 % quantile of Student's t (Abramowitz & Stegun, 26.7.5)."""
    z = 1.959963984540054
    return float(
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )


def false_discovery(p: Array) -> Array:
    """Benjamini and Hochberg; NaN stays NaN."""
    q = np.full(len(p), np.nan)
    tested = np.nonzero(~np.isnan(p))[0]
    tested = tested[np.argsort(p[tested], kind="stable")]
    raised = p[tested] * len(tested) / np.arange(1, len(tested) + 1)
    q[tested] = np.minimum(1, np.minimum.accumulate(raised[::-1])[::-1])
    return q


def specialisation(chosen: Array, choices: Array) -> Array:
    """[U] 1 − H / ln C over labels, which weigh the same. ``chosen``, ``choices``: [labels, U]."""
    if len(chosen) < 2:
        return np.full(chosen.shape[1], np.nan)
    with np.errstate(all="ignore"):
        share = np.where(choices > 0, chosen / choices, 0)
        total = share.sum(0)
        part = share / total
        entropy = -np.where(part > 0, part * np.log(part), 0).sum(0)
        return np.where(total > 0, 1 - entropy / np.log(len(chosen)), np.nan)


def information(table: Array) -> tuple[float, float]:
    """Mutual information of a table of counts in nats, and what independent choices would show (Miller 1955)."""

    def weighed(counts: Array) -> float:
        positive = counts[counts > 0]
        return float((positive * np.log(positive)).sum())

    rows, columns, total = table.sum(1), table.sum(0), float(table.sum())
    if total == 0:
        return float("nan"), float("nan")
    joint = weighed(table.ravel())
    value = max(0.0, (joint - weighed(rows) - weighed(columns) + weighed(np.array([total]))) / total)
    return value, float(((rows > 0).sum() - 1) * ((columns > 0).sum() - 1) / (2 * total))


@dataclass(frozen=True)
class Chance:
    shuffles: int
    p: Array
    """[labels, U] NaN if not tested."""
    specialisation: Array
    """[U] mean over the shuffles."""
    information: Array
    """[L] likewise."""


def chance_of(counts: Counts, labels: Seq[str]) -> Chance:
    """Labels are shuffled among whole documents."""
    U, L, C = counts.units, len(counts.experts), len(labels)
    if C < 2:
        return Chance(0, np.full((C, U), np.nan), np.full(U, np.nan), np.full(L, np.nan))
    documents = [counts.documents[id] for id in sorted(counts.documents, key=text_order)]
    group = Group.of(documents, counts)
    share = group.load
    with np.errstate(invalid="ignore"):
        excess = np.nan_to_num(group.chosen - share * group.choices)
    places = {label: i for i, label in enumerate(labels)}
    label = np.array([C if one.label is None else places[one.label] for one in documents])
    return _shuffled(counts, group, excess, label, C)


def _shuffled(counts: Counts, group: Group, excess: Array, label: Array, C: int) -> Chance:
    D, U = excess.shape
    sizes = np.bincount(label, minlength=C + 1)[:C]
    with np.errstate(all="ignore"):
        deviation = np.sqrt((excess**2).sum(0) * (sizes * (D - sizes) / (D * (D - 1)))[:, None])

    def sums(of: Array, order: Array) -> Array:
        """[C] of sums over each label's documents."""
        out = np.zeros((C + 1, of.shape[1]))
        np.add.at(out, order, of)
        return out[:C]

    def z(order: Array) -> Array:
        with np.errstate(all="ignore"):
            values = np.abs(sums(excess, order)) / deviation
        return np.where(np.isfinite(values), values, np.nan)

    observed = z(label)
    farther, tails = np.zeros((C, U), np.int64), np.zeros((C, BINS), np.int64)
    special, told = np.zeros(U), np.zeros(len(counts.experts))
    shuffles = max(LEAST_SHUFFLES, min(MOST_SHUFFLES, WORK // (D * U)))
    for order in Random(1).shuffles(label, shuffles):
        drawn = z(order)
        # Equal sums may differ slightly, because they were added in a different order.
        with np.errstate(invalid="ignore"):
            farther += drawn >= observed * (1 - 1e-9)
        for i in range(C):
            known = drawn[i][~np.isnan(drawn[i])]
            tails[i] += np.bincount(_bin(known), minlength=BINS)
        chosen = sums(group.chosen, order)
        special += specialisation(chosen, sums(group.choices, order))
        told += [information(chosen[:, counts.layer_of == layer])[0] for layer in range(len(counts.experts))]
    above = tails[:, ::-1].cumsum(1)[:, ::-1]
    own = (farther + 1) / (shuffles + 1)
    # Beyond all of a unit's own shuffles: the share of all units' shuffles that reached it, in their standard deviations.
    bins = _bin(np.nan_to_num(observed))
    reached = np.take_along_axis(above, bins, 1)
    p = np.where(farther > 0, own, np.minimum(own, (reached + 1) / (above[:, :1] + 1)))
    return Chance(shuffles, np.where(np.isnan(observed), np.nan, p), special / shuffles, told / shuffles)


def _bin(z: Array) -> Array:
    return np.asarray(np.minimum(BINS - 1, np.floor(z * BINS_PER_UNIT)), int)
