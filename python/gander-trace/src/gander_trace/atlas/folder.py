"""An atlas on disk: a folder with atlas.json and a Parquet file per table."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gander_trace.atlas.columns import COLUMNS, TableName
from gander_trace.errors import TraceError

if TYPE_CHECKING:
    from pandas import DataFrame
    from pyarrow import Table

VERSION = 1
"""Of src/atlas/about.ts."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Atlas:
    """A model's routing over a corpus. ``about`` is its atlas.json: the run, the corpus, totals, what was left out."""

    folder: Path
    about: Mapping[str, Any]

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Atlas:
        """Reads atlas.json; tables are read when they are asked for. Raises ``TraceError`` if it is not an atlas."""
        path = Path(folder)
        try:
            about = json.loads((path / "atlas.json").read_text(encoding="utf-8"))
            version = about["version"] if about["format"] == "gander-atlas" else None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TraceError(f"{path} is not an atlas: {error}") from error
        if version != VERSION:
            raise TraceError(f"{path} is an atlas of version {version}; this gander-trace reads version {VERSION}")
        return cls(path, about)

    def table(self, name: TableName, columns: Seq[str] | None = None) -> Table:
        """One of ``TABLES``, of which docs/atlas.md explains each column. Raises ``TraceError`` if it cannot be read."""
        parquet = _parquet()
        if name not in COLUMNS:
            raise TraceError(f"there is no table {name!r}: choose one of {', '.join(COLUMNS)}")
        try:
            return parquet.read_table(self.folder / f"{name}.parquet", columns=columns)
        except (OSError, ValueError, KeyError) as error:
            raise TraceError(f"{self.folder} is not a complete atlas: {error}") from error

    def to_pandas(self, name: TableName, columns: Seq[str] | None = None) -> DataFrame:
        """The same as a pandas table. Raises ``TraceError`` if pandas is not installed."""
        try:
            return self.table(name, columns).to_pandas()
        except ImportError:
            raise TraceError("to_pandas needs pandas: pip install gander-trace[pandas]") from None


def write(target: Path, about: Mapping[str, Any], tables: Mapping[TableName, Seq[Row]], sums: bytes) -> None:
    """Writes beside the target first and then renames, so the atlas is never there in part. Raises ``TraceError``."""
    parquet = _parquet()
    beside = target.with_name(f"{target.name}.new")
    if target.exists():
        raise TraceError(f"{target} already exists: give another name, or remove it first")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        for name, rows in tables.items():
            parquet.write_table(_table(name, rows), beside / f"{name}.parquet", row_group_size=4096)
        (beside / "sums.safetensors").write_bytes(sums)
        (beside / "atlas.json").write_text(json.dumps(about, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        beside.rename(target)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise TraceError(f"{target} cannot be written: {error}") from error


def _table(name: TableName, rows: Seq[Row]) -> Table:
    import pyarrow

    types = {"text": pyarrow.string(), "count": pyarrow.int64(), "number": pyarrow.float64(), "flag": pyarrow.bool_()}
    schema = pyarrow.schema([(column, types[kind]) for column, kind in COLUMNS[name].items()])
    # from_pandas: NaN becomes null.
    columns = [
        pyarrow.array([row.get(column) for row in rows], types[kind], from_pandas=True)
        for column, kind in COLUMNS[name].items()
    ]
    return pyarrow.Table.from_arrays(columns, schema=schema)


def _parquet() -> Any:
    try:
        from pyarrow import parquet
    except ImportError:
        raise TraceError("an atlas needs pyarrow: pip install gander-trace[atlas]") from None
    return parquet
