"""A trace as a pandas table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gander_trace.columns import Array
from gander_trace.errors import TraceError
from gander_trace.parts import Content, Rows

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = (
    *("site", "layer", "stack", "kind", "sequence", "token", "text", "rank", "expert"),
    *("weight", "contribution", "score", "selection"),
)


def table_of(trace: Content) -> DataFrame:
    """See ``Trace.to_pandas``."""
    try:
        import pandas
    except ImportError:
        raise TraceError("to_pandas needs pandas: pip install gander-trace[pandas]") from None
    parts = [_part(trace, rows) for rows in trace]
    return pandas.DataFrame({name: np.concatenate([part[name] for part in parts]) if parts else [] for name in COLUMNS})


def _part(trace: Content, rows: Rows) -> dict[str, Array]:
    """The columns of one site."""
    token, rank = np.nonzero(rows.chosen >= 0)
    chosen = rows.chosen[token, rank]
    sequence = trace.sequences[rows.site.sequence]

    def same(value: Any, kind: Any = object) -> Array:
        return np.full(len(token), value, kind)

    def at(column: Array | None, last: Array) -> Array:
        return same(np.nan, np.float32) if column is None else np.asarray(column[token, last], np.float32)

    names = np.array([one.id for one in rows.experts], object)
    return {
        "site": same(rows.site.path),
        "layer": same(rows.site.layer, int),
        "stack": same(rows.site.stack),
        "kind": same(rows.site.kind),
        "sequence": same(rows.site.sequence, int),
        "token": token,
        "text": same(None) if sequence.tokens is None else np.array(sequence.tokens, object)[token],
        "rank": rank,
        "expert": names[chosen] if len(token) else same(None),
        "weight": at(rows.weight, rank),
        "contribution": at(rows.contribution, rank),
        "score": at(rows.score, chosen),
        "selection": at(rows.selection, chosen),
    }
