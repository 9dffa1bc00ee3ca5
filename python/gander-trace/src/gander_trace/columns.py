"""The one table of a trace's columns: tensors, types and axes, the same as in src/trace/model/columns.ts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

Width = Literal["one", "k", "experts", "always_on", "predictions"]


@dataclass(frozen=True)
class Column:
    """``tensor``: its name in a file, after ``block.<i>.`` or ``sequence.<i>.``. ``width``: its last axis."""

    tensor: str
    type: type[np.generic]
    width: Width


# [S, T, width]
BLOCK = (
    Column("chosen", np.int16, "k"),
    Column("weight", np.float32, "k"),
    Column("contribution", np.float32, "k"),
    Column("always_on_weight", np.float32, "always_on"),
    Column("score", np.float32, "experts"),
    Column("selection", np.float32, "experts"),
)

# [T] or [T, width]
SEQUENCE = (
    Column("ids", np.int32, "one"),
    Column("start", np.int32, "one"),
    Column("end", np.int32, "one"),
    Column("special", np.uint8, "one"),
    Column("log_prob", np.float32, "one"),
    Column("top_ids", np.int32, "predictions"),
    Column("top_log_prob", np.float32, "predictions"),
)
