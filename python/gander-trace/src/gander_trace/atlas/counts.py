"""What an atlas is made from: counts over documents, the same as in src/atlas/figures.

Units are the experts of all layers, one layer after the other: U of them in L layers.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable
from collections.abc import Sequence as Seq
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gander_trace.atlas.javascript import mixed, part, text_order, utf16
from gander_trace.columns import Array
from gander_trace.parts import Rows, Sequence
from gander_trace.trace import Trace

TOKEN_KINDS = ("read", "next", "predicted")
CONTEXT_KINDS = ("top", "random")
CLASSES = 7
PLACES = 20
"""Positions are grouped by powers of two."""
MOST_CONTEXTS = 8
MOST_OF_DOCUMENT = 2
AROUND = 40
"""UTF-16 code units of text on either side of a context's token."""
BUDGET = 2**24
"""How many numbers each of the large tables keeps."""
OTHER_TOKENS = -1
"""Key of all tokens beyond the budget."""

Context = dict[str, Any]


@dataclass(frozen=True)
class Document:
    id: str
    label: str | None
    place: str
    hash: str
    tokens: int
    bits: float
    bytes: int
    chosen: Array
    """[U]"""
    choices: Array
    """[L]"""

    @property
    def half(self) -> int:
        """Copies of a text are in the same half."""
        return int(self.hash[0], 16) & 1


class Means:
    """Sums of numbers that are rounded first, so that their order does not matter (src/statistics/exactSums.ts)."""

    def __init__(self, length: int) -> None:
        self.sums = np.zeros(length, np.int64)
        self.counts = np.zeros(length, np.int64)

    def add(self, at: Array, values: Array) -> None:
        known = np.isfinite(values)
        at, values = np.broadcast_to(at, values.shape)[known], values[known].astype(np.float64)
        np.add.at(self.sums, at, np.floor(values * 2**20 + 0.5).astype(np.int64))
        np.add.at(self.counts, at, 1)

    @property
    def means(self) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.sums / 2**20 / self.counts)


class _Room:
    """How many pairs are counted; layers beyond that have none."""

    def __init__(self) -> None:
        self._left = BUDGET

    def table(self, rows: int, columns: int) -> Array:
        self._left -= rows * columns
        return np.zeros((rows, columns) if self._left >= 0 else (0, 0), np.int64)


@dataclass
class Counts:
    experts: Seq[int]
    """[L] how many each layer has."""
    documents: dict[str, Document] = field(default_factory=dict)

    def __post_init__(self) -> None:
        L, U = len(self.experts), sum(self.experts)
        self.units = U
        self.starts = np.concatenate([[0], np.cumsum(self.experts)]).astype(int)
        self.layer_of = np.repeat(np.arange(L), self.experts)
        self.cells = np.zeros(L, np.int64)
        self.chance, self.entropy, self.margin, self.mass = Means(L), Means(L), Means(L), Means(L)
        self.weight, self.score = Means(U), Means(U)
        self.first = np.zeros(U, np.int64)
        self.tokens: dict[str, dict[int, Array]] = {kind: {} for kind in TOKEN_KINDS}
        self.spelled: dict[int, str] = {}
        self.contexts: dict[str, list[list[Context]]] = {kind: [[] for _ in range(U)] for kind in CONTEXT_KINDS}
        room = _Room()
        self.together = [room.table(n, n) for n in self.experts]
        self.following = [room.table(n, m) for n, m in zip(self.experts, self.experts[1:], strict=False)]
        self.steps = np.zeros(L, np.int64)
        self.by_class = np.zeros((CLASSES, U), np.int64)
        self.by_place = np.zeros((PLACES, U), np.int64)

    def add(self, trace: Trace, id: str, label: str | None, place: str) -> None:
        sequence = trace.sequences[0]
        text = _Text(sequence)
        content = sequence.text if sequence.text is not None else " ".join(map(str, text.spelled))
        hash = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
        chosen, choices = np.zeros(self.units, np.int64), np.zeros(len(self.experts), np.int64)
        known = []
        for layer, rows in enumerate(trace):
            cells = _Cells.of(rows, text.tokens, int(self.starts[layer]))
            known.append(cells)
            np.add.at(chosen, cells.unit, 1)
            choices[layer] = len(cells.unit)
            self._add_layer(layer, rows, cells, trace)
            self._add_tokens(cells, text)
            self._add_contexts(cells, text, id, hash)
        self._name_tokens(text)
        for layer in range(len(known) - 1):
            self._add_steps(layer, known[layer], known[layer + 1])
        bits, size = text.scored
        self.documents[id] = Document(id, label, place, hash, len(text.tokens), bits, size, chosen, choices)

    def _add_layer(self, layer: int, rows: Rows, cells: _Cells, trace: Trace) -> None:
        count = self.experts[layer]
        self.cells[layer] += len(cells.known)
        if len(cells.unit):
            self.chance.add(np.array([layer]), np.array([1 / count]))
        if rows.weight is not None:
            self.weight.add(cells.unit, rows.weight[cells.token, cells.rank])
        if rows.score is not None:
            self.score.add(cells.unit, rows.score[cells.token, cells.expert])
        np.add.at(self.first, cells.unit[cells.rank == 0], 1)
        if self.together[layer].size:
            sets = np.zeros((len(rows.chosen), count), np.int64)
            sets[cells.token, cells.expert] = 1
            self.together[layer] += sets.T @ sets
        for means, values in zip(
            (self.entropy, self.margin, self.mass), _certainty(rows, cells.counted, trace), strict=True
        ):
            means.add(np.array(layer), values)

    def _add_tokens(self, cells: _Cells, text: _Text) -> None:
        for kind in TOKEN_KINDS:
            ids = text.ids(kind)
            if ids is None:
                continue
            at = ids[cells.token]
            counted = self.tokens[kind]
            apart = BUDGET // self.units
            for token in np.unique(at[at >= 0]):
                key = int(token) if token < apart else OTHER_TOKENS
                counts = counted.setdefault(key, np.zeros(self.units, np.int64))
                np.add.at(counts, cells.unit[at == token], 1)
        np.add.at(self.by_class, (text.classes[cells.token], cells.unit), 1)
        np.add.at(self.by_place, (text.places[cells.token], cells.unit), 1)

    def _name_tokens(self, text: _Text) -> None:
        """By the first spelling in each document; of several documents', the one that sorts first."""
        found: dict[int, str] = {}
        for kind in TOKEN_KINDS:
            ids, names = text.ids(kind), text.names(kind)
            if ids is None or names is None:
                continue
            for t in text.tokens.tolist():
                name = names[t]
                if name is not None and 0 <= ids[t] < BUDGET // self.units:
                    found.setdefault(int(ids[t]), name)
        for token, name in found.items():
            known = self.spelled.get(token)
            if known is None or text_order(name) < text_order(known):
                self.spelled[token] = name

    def _add_contexts(self, cells: _Cells, text: _Text, id: str, hash: str) -> None:
        hashes = mixed(int(hash[:8], 16), int(hash[8:16], 16), cells.token, cells.unit)
        for unit in np.unique(cells.unit):
            own = np.nonzero(cells.unit == unit)[0]
            own = own[np.argsort(cells.token[own], kind="stable")]
            weighed = own[~np.isnan(cells.weight[own])]
            top = weighed[np.argsort(-cells.weight[weighed], kind="stable")][:MOST_OF_DOCUMENT]
            chance = own[np.argsort(hashes[own], kind="stable")][:MOST_CONTEXTS]
            for kind, places in (("top", top), ("random", chance)):
                kept = self.contexts[kind][unit]
                kept += [_context(cells, i, int(hashes[i]), text, id) for i in places]
                kept.sort(key=_ORDER[kind])
                del kept[MOST_CONTEXTS:]

    def _add_steps(self, layer: int, here: _Cells, there: _Cells) -> None:
        if not self.following[layer].size:
            return
        self.steps[layer] += len(np.intersect1d(here.known, there.known))
        after: dict[int, list[int]] = {}
        for token, expert in zip(there.token.tolist(), there.expert.tolist(), strict=True):
            after.setdefault(token, []).append(expert)
        for token, expert in zip(here.token.tolist(), here.expert.tolist(), strict=True):
            for following in after.get(token, ()):
                self.following[layer][expert, following] += 1


@dataclass(frozen=True)
class _Cells:
    """The choices of one layer at the text's tokens, one after the other."""

    token: Array
    rank: Array
    expert: Array
    unit: Array
    weight: Array
    """NaN if unknown."""
    known: Array
    """The text's tokens of which the source says something."""
    counted: Array
    """All of the text's tokens."""

    @classmethod
    def of(cls, rows: Rows, tokens: Array, start: int) -> _Cells:
        chosen = rows.chosen[tokens]
        known = chosen[:, 0] >= 0
        if rows.weight is not None:
            known |= ~np.isnan(rows.weight[tokens][:, 0])
        at, rank = np.nonzero((chosen >= 0) & known[:, None])
        expert = chosen[at, rank].astype(int)
        token = tokens[at]
        weight = np.full(len(token), np.nan) if rows.weight is None else rows.weight[token, rank].astype(np.float64)
        return cls(token, rank, expert, expert + start, weight, tokens[known], tokens)


class _Text:
    """The tokens of a document: those of the text, not special ones."""

    def __init__(self, sequence: Sequence) -> None:
        self.sequence = sequence
        special = np.zeros(sequence.count, bool) if sequence.special is None else sequence.special.astype(bool)
        self.tokens = np.nonzero(~special)[0]
        self._units = None if sequence.text is None else utf16(sequence.text)
        self.spelled = [self._spelled(t) for t in range(sequence.count)]
        names = self.spelled if sequence.tokens is None else sequence.tokens
        self.classes = np.array([class_of(name) for name in names], int)
        self.places = np.minimum(PLACES - 1, np.log2(np.arange(1, sequence.count + 1)).astype(int))

    def span(self, t: int) -> tuple[int, int] | None:
        start, end = self.sequence.start, self.sequence.end
        if self._units is None or start is None or end is None or start[t] < 0:
            return None
        return int(start[t]), int(end[t])

    def between(self, start: int, end: int) -> str:
        return part(self._units or b"", start, end)

    def _spelled(self, t: int) -> str:
        span = self.span(t)
        own = "" if span is None else self.between(*span)
        if own:
            return own
        if self.sequence.tokens is not None:
            return self.sequence.tokens[t]
        return f"({t})" if self.sequence.ids is None else f"#{self.sequence.ids[t]}"

    def ids(self, kind: str) -> Array | None:
        """[T] the token that a choice is counted under; below 0: none."""
        ids, top = self.sequence.ids, self.sequence.top_ids
        if kind == "predicted":
            return None if top is None or top.shape[1] == 0 else top[:, 0]
        if ids is None:
            return None
        return ids if kind == "read" else np.append(ids[1:], -1)

    def names(self, kind: str) -> Seq[str | None] | None:
        if kind == "predicted":
            top = self.sequence.top_tokens
            return None if top is None else [row[0] for row in top]
        tokens = self.sequence.tokens
        if tokens is None:
            return None
        return tokens if kind == "read" else [*tokens[1:], None]

    @property
    def scored(self) -> tuple[float, int]:
        """Bits and bytes of the tokens that were predicted, as in ``gander score``."""
        log_prob = self.sequence.log_prob
        bits, size = 0.0, 0
        for t in self.tokens.tolist() if log_prob is not None else ():
            if log_prob is None or np.isnan(log_prob[t]):
                continue
            bits -= float(log_prob[t]) / float(np.log(2))
            span = self.span(t)
            if span is not None and self.sequence.end is not None:
                start = max(span[0], int(self.sequence.end[t - 1])) if t > 0 else span[0]
                size += len(self.between(start, max(start, span[1])).encode())
        return bits, size


def _context(cells: _Cells, i: int, hash: int, text: _Text, id: str) -> Context:
    token, weight = int(cells.token[i]), float(cells.weight[i])
    span = text.span(token)
    start, end = span if span is not None else (None, None)
    return {
        "document": id,
        "sequence": 0,
        "token": token,
        "weight": None if np.isnan(weight) else weight,
        "hash": hash,
        "before": "" if start is None else text.between(start - AROUND, start),
        "text": text.spelled[token] if start is None or end is None else text.between(start, end),
        "after": "" if end is None else text.between(end, end + AROUND),
        "start": start,
        "end": end,
    }


_ORDER: dict[str, Callable[[Context], Any]] = {
    "top": lambda context: (-context["weight"], text_order(context["document"]), context["token"]),
    "random": lambda context: (context["hash"], text_order(context["document"]), context["token"]),
}


def _certainty(rows: Rows, tokens: Array, trace: Trace) -> tuple[Array, Array, Array]:
    """Entropy ÷ ln E, margin and top-k probability of each token (src/trace/figures/distribution.ts)."""
    unknown = np.full(len(tokens), np.nan)
    compared = rows.selection if rows.selection is not None else rows.score
    if compared is None:
        return unknown, unknown, unknown
    values = np.where(np.isnan(compared[tokens]), -np.inf, compared[tokens]).astype(np.float64)
    count = (values > -np.inf).sum(-1)
    order = np.argsort(-values, axis=-1, kind="stable")
    ranked = np.take_along_axis(values, order, -1)
    limit = trace.router.k
    k = None if limit is None else min(limit, rows.chosen.shape[1])
    margin = unknown
    with np.errstate(all="ignore"):
        if k is not None and k < values.shape[1]:
            margin = np.where(count > k, ranked[:, k - 1] - ranked[:, k], np.nan)
        if rows.score is None or trace.router.scoring is None:
            return unknown, margin, unknown
        scores = rows.score[tokens].astype(np.float64)
        part = (values > -np.inf) & (scores > -np.inf)
        most = np.where(values > -np.inf, scores, -np.inf).max(-1, keepdims=True)
        soft = trace.router.scoring == "softmax"
        x = np.where(part, np.exp(scores - most) if soft else 1 / (1 + np.exp(-scores)), 0)
        z = x.sum(-1)
        moment = np.where(x > 0, x * ((scores - most) if soft else np.log(x)), 0).sum(-1)
        entropy = np.where(count == 1, 0, (np.log(z) - moment / z) / np.log(count))
        mass = unknown if k is None else np.take_along_axis(x, order, -1)[:, :k].sum(-1) / z
    return entropy, margin, mass


_SPACES = set("\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff") | {chr(c) for c in range(0x2000, 0x200B)}


def class_of(token: str) -> int:
    """Word, continued word, number, punctuation, space, line end, other: the classes of src/atlas/figures/classes.ts.

    A character that is newer than Python's Unicode is another.
    """
    kinds = [unicodedata.category(one)[0] for one in token]
    begins = token[:1] in (" ", "▁")

    def all_of(of: list[str], wanted: str) -> bool:
        return bool(of) and set(of) <= set(wanted)

    def with_space(wanted: str) -> bool:
        return all_of(kinds, wanted) or (begins and all_of(kinds[1:], wanted))

    if begins and kinds[1:2] == ["L"]:
        return 0
    if all_of(kinds, "LM"):
        return 1
    if with_space("N"):
        return 2
    if with_space("PS"):
        return 3
    if token and set(token) <= _SPACES:
        return 5 if "\n" in token else 4
    return 6
