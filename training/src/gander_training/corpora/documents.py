"""Reads and writes documents, one JSON line each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Document:
    text: str
    package: str
    path: str


def write_jsonl(documents: Iterable[Document], path: Path) -> None:
    """Write one JSON line per document, to a temporary name first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8", newline="\n") as file:
        for document in documents:
            file.write(json.dumps(asdict(document), ensure_ascii=False) + "\n")
    temporary.replace(path)


def read_jsonl(path: Path) -> Iterator[Document]:
    """The documents of a file that write_jsonl wrote."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield Document(**json.loads(line))
