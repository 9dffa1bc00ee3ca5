"""One file of short excerpts that no expert was trained on, to make an atlas of: documents with a label.

The test splits of the domains are labelled with the domain, the held-out documents with their kind. The packages of a label take
turns, so that one large package does not stand for its language.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice, zip_longest
from pathlib import Path

from gander_training.corpora.documents import Document, read_jsonl
from gander_training.corpora.recipe import HELDOUT


def in_turn(documents: list[Document]) -> Iterator[Document]:
    """The first document of each package, then the second of each, and so on."""
    packages: dict[str, list[Document]] = {}
    for document in documents:
        packages.setdefault(document.package, []).append(document)
    for row in zip_longest(*packages.values()):
        yield from (document for document in row if document is not None)


def beginning(text: str, most: int) -> str:
    """At most ``most`` characters, cut after a line if that leaves more than half of them."""
    if len(text) <= most:
        return text
    line_end = text.rfind("\n", 0, most) + 1
    return text[: line_end if line_end > most / 2 else most]


def write_excerpts(corpora: Path, out: Path, documents: int, characters: int) -> int:
    """Write JSON lines of ``{"id", "label", "text", "package", "licence"}``; returns how many.

    ``corpora`` is what the command ``corpora`` wrote. Raises ``FileNotFoundError`` if there is nothing to take excerpts from.
    """
    licences = {
        package: entry["licence"]
        for file in json.loads((corpora / "manifest.json").read_text("utf-8")).values()
        for package, entry in file["packages"].items()
    }
    files = {path.parent.name: path for path in corpora.glob("*/test.jsonl")}
    files |= {path.stem: path for path in (corpora / HELDOUT).glob("*.jsonl")}
    lines = [
        json.dumps(
            {
                "id": f"{document.package}/{document.path}",
                "label": label,
                "text": beginning(document.text, characters),
                "package": document.package,
                "licence": licences[document.package],
            },
            ensure_ascii=False,
        )
        for label, path in sorted(files.items())
        for document in islice(in_turn(list(read_jsonl(path))), documents)
    ]
    if not lines:
        raise FileNotFoundError(f"{corpora} has no test.jsonl and no held-out documents: run gander-training corpora")
    temporary = out.with_name(out.name + ".tmp")
    temporary.write_text("\n".join(lines) + "\n", "utf-8")
    temporary.replace(out)
    return len(lines)
