"""The tables of an atlas with their columns, the same as in src/atlas/tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

ColumnType = Literal["text", "count", "number", "flag"]
"""``count``: whole numbers. A number that is not defined is null."""

TableName = Literal["experts", "labels", "tokens", "contexts", "layers", "pairs", "coverage", "documents", "ablations"]
TABLES: tuple[TableName, ...] = get_args(TableName)


def _columns(text: str = "", count: str = "", number: str = "", flag: str = "") -> dict[str, ColumnType]:
    kinds: dict[ColumnType, str] = {"text": text, "count": count, "number": number, "flag": flag}
    return {name: kind for kind, names in kinds.items() for name in names.split()}


_UNIT = _columns(text="stack router name", count="layer expert")
_LAYER = _columns(text="stack router", count="layer")

LAYER = tuple(_LAYER)
"""The columns that say which layer a row is about."""

COLUMNS: Mapping[TableName, Mapping[str, ColumnType]] = {
    "experts": _UNIT
    | _columns(
        text="label",
        count="tokens documents",
        number="load low high chance weight score first specialisation specialisationChance",
        flag="dead",
    ),
    "labels": _UNIT
    | _columns(text="label", count="tokens", number="share lift low high p q firstHalf secondHalf", flag="specialised"),
    "tokens": _UNIT | _columns(text="kind token", count="id count", number="expected lift"),
    "contexts": _UNIT
    | _columns(text="kind document before text after", count="rank sequence token start end", number="weight"),
    "layers": _LAYER
    | _columns(
        count="experts cells choices dead",
        number="cv cvChance entropy entropyChance effective effectiveChance maxVio deadChance scoreEntropy "
        "topProbability topProbabilityChance margin labelInformation labelInformationChance tokenInformation "
        "tokenInformationChance classInformation classInformationChance placeInformation placeInformationChance",
    ),
    "pairs": _LAYER | _columns(text="kind", count="a b count", number="expected lift"),
    "coverage": _LAYER | _columns(count="n", number="share chance"),
    "documents": _columns(text="document label place hash", count="half parts tokens bytes", number="bitsPerByte"),
    "ablations": _UNIT
    | _columns(
        text="kind effect",
        count="contexts documents",
        number="change low high matched difference differenceLow differenceHigh p q",
        flag="hurts",
    ),
}
