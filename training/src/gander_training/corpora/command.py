"""Corpora from a recipe: fetch pinned packages, select files, split by package.

``training/corpora/recipe.toml`` names every package with its version, licence and split. Each one is fetched with its
ecosystem's ordinary client and read in memory; each document becomes one JSON line, ``{"text", "package", "path"}``.

    python -m gander_training.corpora [--out DIR] [--only NAME ...]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from gander_training.corpora.documents import read_jsonl, write_jsonl
from gander_training.corpora.fetch import fetch
from gander_training.corpora.recipe import (
    DEFAULT_RECIPE,
    HELDOUT,
    TRAINING_DIR,
    CorpusError,
    Limits,
    Package,
    Recipe,
    load_recipe,
)
from gander_training.corpora.selection import SELECTION, choose, read_package

DEFAULT_OUT = TRAINING_DIR / ".corpora"


def output_path(out: Path, corpus: str, split: str) -> Path:
    return out / HELDOUT / f"{corpus}.jsonl" if split == HELDOUT else out / corpus / f"{split}.jsonl"


def fingerprint(packages: list[Package], limits: Limits) -> str:
    """A hash of everything that an output depends on; if it is unchanged, the output need not be built again."""
    payload = json.dumps([SELECTION, [asdict(p) for p in packages], asdict(limits)], sort_keys=True)
    return hashlib.sha256(payload.encode()).hexdigest()


def build(recipe: Recipe, corpus: str, split: str, out: Path, archives: dict[str, Path]) -> dict[str, Any]:
    """Write one output and return its entry in the manifest. Raises ``CorpusError`` if a package gives no documents."""
    packages = [p for p in recipe.packages if p.corpus == corpus and p.split == split]
    limits = recipe.limits[split]
    by_package = []
    for package in packages:
        documents = read_package(package, archives[package.label], limits)
        if not documents:
            raise CorpusError(f"{package.label}: no usable file for {corpus}/{split}")
        by_package.append(documents)
    chosen = choose(by_package, limits)
    path = output_path(out, corpus, split)
    write_jsonl(chosen, path)
    return {
        "documents": len(chosen),
        "text_bytes": sum(len(d.text.encode()) for d in chosen),
        "sha256": _sha256(path),
        "recipe": fingerprint(packages, limits),
        "packages": {
            p.label: {
                "licence": p.licence,
                "documents": sum(d.package == p.label for d in chosen),
                "text_bytes": sum(len(d.text.encode()) for d in chosen if d.package == p.label),
            }
            for p in packages
        },
    }


def build_all(recipe: Recipe, out: Path, only: list[str], jobs: int, cache: Path | None = None) -> list[str]:
    """Fetch and write all missing outputs (of ``only``, if given); returns the error lines.

    An output from another recipe, or one that was changed since, is written again. If one corpus fails, the others are
    still written.
    """
    out.mkdir(parents=True, exist_ok=True)
    manifest_path = out / "manifest.json"
    manifest = json.loads(manifest_path.read_text("utf-8")) if manifest_path.exists() else {}
    todo = [target for target in _targets(recipe, only) if not _is_done(recipe, *target, out, manifest)]
    errors: list[str] = []
    archives, failed = _fetch_all(
        [p for p in recipe.packages if (p.corpus, p.split) in todo], cache or out / "cache", jobs
    )
    errors += sorted(set(failed.values()))
    for corpus, split in tqdm(todo, desc="write", unit="file", disable=not todo):
        if any(p.label in failed for p in recipe.packages if (p.corpus, p.split) == (corpus, split)):
            continue
        try:
            entry = build(recipe, corpus, split, out, archives)
        except CorpusError as error:
            errors.append(str(error))
            continue
        manifest[str(output_path(out, corpus, split).relative_to(out))] = entry
        temporary = manifest_path.with_suffix(".json.tmp")
        temporary.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", "utf-8")
        temporary.replace(manifest_path)
    return errors + find_leaks(recipe, out)


def _targets(recipe: Recipe, only: list[str]) -> list[tuple[str, str]]:
    known = {*recipe.domains, *recipe.kinds, HELDOUT}
    unknown = sorted(set(only) - known)
    if unknown:
        raise CorpusError(f"unknown corpus {', '.join(unknown)}: the recipe has {', '.join(sorted(known))}")
    targets = list(dict.fromkeys((p.corpus, p.split) for p in recipe.packages))
    return [t for t in targets if not only or t[0] in only or (t[1] == HELDOUT and HELDOUT in only)]


def _is_done(recipe: Recipe, corpus: str, split: str, out: Path, manifest: dict[str, Any]) -> bool:
    path = output_path(out, corpus, split)
    entry = manifest.get(str(path.relative_to(out)), {})
    packages = [p for p in recipe.packages if p.corpus == corpus and p.split == split]
    if entry.get("recipe") != fingerprint(packages, recipe.limits[split]) or not path.exists():
        return False
    return entry.get("sha256") == _sha256(path)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def find_leaks(recipe: Recipe, out: Path) -> list[str]:
    """One line for each text in a train split that is also, from another package, in a split for measuring."""
    trained: dict[bytes, str] = {}
    leaks = []
    targets = sorted({(p.corpus, p.split) for p in recipe.packages}, key=lambda t: (t[1] != "train", t))
    for path, split in ((output_path(out, corpus, split), split) for corpus, split in targets):
        for document in read_jsonl(path) if path.exists() else ():
            key = hashlib.sha256(document.text.encode()).digest()
            if split == "train":
                trained.setdefault(key, document.package)
            elif key in trained:
                leaks.append(f"{document.package}: {document.path} is also in the training text, from {trained[key]}")
    return leaks


def _fetch_all(packages: list[Package], cache: Path, jobs: int) -> tuple[dict[str, Path], dict[str, str]]:
    """Archives by label, and error lines by label."""
    unique = list({p.label: p for p in packages}.values())
    archives: dict[str, Path] = {}
    failed: dict[str, str] = {}

    def attempt(package: Package) -> None:
        try:
            archives[package.label] = fetch(package, cache)
        except CorpusError as error:
            failed[package.label] = str(error)

    with ThreadPoolExecutor(jobs) as pool:
        list(tqdm(pool.map(attempt, unique), total=len(unique), desc="fetch", unit="package", disable=not unique))
    return archives, failed


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code, 1 if a corpus could not be built."""
    parser = argparse.ArgumentParser(prog="python -m gander_training.corpora", description=__doc__.split("\n")[0])
    parser.add_argument("--recipe", type=Path, default=DEFAULT_RECIPE, help="the pinned list (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="folder for the corpora (default: %(default)s)")
    parser.add_argument("--cache", type=Path, help="folder for the archives (default: cache/ in --out)")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help=f"domains or kinds, or '{HELDOUT}'")
    parser.add_argument("--jobs", type=int, default=4, help="packages to fetch at a time (default: %(default)s)")
    args = parser.parse_args(argv)
    try:
        errors = build_all(load_recipe(args.recipe), args.out, args.only, args.jobs, args.cache)
    except CorpusError as error:
        errors = [str(error)]
    for line in errors:
        print(f"error: {line}", file=sys.stderr)
    return 1 if errors else 0
