"""The pinned list: every package with its version, licence and split, checked."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TRAINING_DIR = Path(__file__).resolve().parents[3]
DEFAULT_RECIPE = TRAINING_DIR / "corpora" / "recipe.toml"
ECOSYSTEMS = ("npm", "pypi", "pypi-wheel", "cargo", "go", "maven", "debian")
SPLITS = ("train", "validation", "test")
HELDOUT = "heldout"
# fmt: off
PERMISSIVE = frozenset({
    "0BSD", "Apache-2.0", "Artistic-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "BlueOak-1.0.0",
    "CC-BY-4.0", "CC0-1.0", "HPND", "ISC", "MIT", "MIT-0", "MIT-CMU", "MIT-Modern-Variant", "ODC-By-1.0",
    "PSF-2.0", "PostgreSQL", "Python-2.0", "Unicode-3.0", "Unicode-DFS-2016", "Unlicense", "X11", "ZPL-2.1",
    "Zlib", "blessing", "curl",
})
# fmt: on


class CorpusError(Exception):
    """A recipe, download or archive that cannot be used. The message is one line that names it."""


@dataclass(frozen=True)
class Package:
    """One pinned package, and which of its files go into one corpus."""

    corpus: str
    ecosystem: str
    name: str
    version: str
    licence: str
    split: str
    files: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    contains: str = ""
    generated: bool = False  # keep files that say they are generated (HTML documentation)

    @property
    def key(self) -> str:
        """The package without its version; splits must not share one."""
        return f"{self.ecosystem.removesuffix('-wheel')}:{self.name}"

    @property
    def label(self) -> str:
        return f"{self.key}@{self.version}"


@dataclass(frozen=True)
class Limits:
    """How much text one split keeps.

    Sizes are in characters: ``total`` per split, ``document`` the most per document (longer ones are cut at the end of
    a line), ``minimum`` the least. ``share`` is the largest part of ``total`` that one package may give; ``documents``
    and ``per_package`` limit the number of documents (0: no limit).
    """

    total: int
    document: int
    minimum: int
    share: float = 1.0
    documents: int = 0
    per_package: int = 0
    file_bytes: int = 300_000


@dataclass(frozen=True)
class Recipe:
    packages: tuple[Package, ...]
    limits: dict[str, Limits]

    @property
    def domains(self) -> list[str]:
        return sorted({p.corpus for p in self.packages if p.split != HELDOUT})

    @property
    def kinds(self) -> list[str]:
        return sorted({p.corpus for p in self.packages if p.split == HELDOUT})


def load_recipe(path: Path = DEFAULT_RECIPE) -> Recipe:
    """Read and check a recipe. Raises ``CorpusError`` naming the file and the entry that is wrong.

    A recipe that includes another adds its packages to the other's and replaces its limits.
    """
    data = _read_recipe(path)
    try:
        limits = {split: Limits(**values) for split, values in data["limits"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise CorpusError(f"{path}: [limits] is wrong or missing: {error}") from error
    missing = {*SPLITS, HELDOUT} - limits.keys()
    if missing:
        raise CorpusError(f"{path}: [limits] lacks {', '.join(sorted(missing))}")
    packages = [*_parse_group(path, data, "domain"), *_parse_group(path, data, HELDOUT)]
    check_splits(packages, path)
    return Recipe(tuple(packages), limits)


def _read_recipe(path: Path) -> dict[str, Any]:
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path}: cannot be read as a recipe: {error}") from error
    if "include" not in data:
        return data
    whole = _read_recipe(path.parent / data["include"])
    whole["limits"] |= data.get("limits", {})
    for group in ("domain", HELDOUT):
        for corpus, table in data.get(group, {}).items():
            known = whole.setdefault(group, {}).setdefault(corpus, {"packages": []})
            known["packages"] += table.get("packages", [])
    return whole


def _parse_group(path: Path, data: dict[str, Any], group: str) -> Iterator[Package]:
    for corpus, table in data.get(group, {}).items():
        for entry in table.get("packages", []):
            values = {"files": table.get("files"), "contains": table.get("contains", ""), **entry}
            if group == HELDOUT:
                values["split"] = HELDOUT
            yield _parse_package(f"{path}: {group}.{corpus}", corpus, values)


def _parse_package(where: str, corpus: str, values: dict[str, Any]) -> Package:
    name = values.get("name", "?")
    try:
        exclude = tuple(values.pop("exclude", ()))
        package = Package(corpus=corpus, **{**values, "files": tuple(values["files"])}, exclude=exclude)
    except (TypeError, KeyError) as error:
        raise CorpusError(f"{where}: package {name}: {error}") from error
    if package.ecosystem not in ECOSYSTEMS:
        raise CorpusError(f"{where}: package {name}: unknown ecosystem {package.ecosystem!r}")
    if package.split not in (*SPLITS, HELDOUT):
        raise CorpusError(f"{where}: package {name}: unknown split {package.split!r}")
    if not package.files:
        raise CorpusError(f"{where}: package {name}: no files")
    if not is_permissive(package.licence):
        raise CorpusError(f"{where}: package {name}: licence {package.licence!r} is not a permissive SPDX identifier")
    return package


def is_permissive(licence: str) -> bool:
    """Whether an SPDX expression allows use under permissive terms (for "A OR B", one of them is enough)."""
    return any(all(part.strip() in PERMISSIVE for part in option.split(" AND ")) for option in licence.split(" OR "))


def check_splits(packages: Iterable[Package], where: Path) -> None:
    """Raises ``CorpusError`` if a package is in two splits, or listed twice for one corpus."""
    split_of: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    for package in packages:
        known = split_of.setdefault(package.key, package.split)
        if known != package.split:
            raise CorpusError(f"{where}: {package.key} is in two splits, {known} and {package.split}")
        if (package.corpus, package.key) in seen:
            raise CorpusError(f"{where}: {package.key} is listed twice for {package.corpus}")
        seen.add((package.corpus, package.key))
