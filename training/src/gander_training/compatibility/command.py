"""Makes the cells, runs them and writes the table."""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any, Protocol, TypeVar

from gander_routing.errors import UserError
from gander_routing.files import read_json
from tqdm import tqdm

from gander_training.compatibility.architectures import ARCHITECTURES, Architecture
from gander_training.compatibility.engine import ROOT, engine_hash, run_cell
from gander_training.compatibility.exporters import EXPORTERS, Exporter
from gander_training.compatibility.kinds import KINDS, Kind
from gander_training.compatibility.prepare import prepare, slug
from gander_training.compatibility.table import Results, document
from gander_training.files import whole_file, whole_folder, write_json

# Each export is forked from a process that has already loaded what all exporters need.
PROCESSES = multiprocessing.get_context("forkserver")
LOADED = ["gander_training.compatibility.prepare", "peft", "transformers", "optimum.exporters.onnx"]


class HasName(Protocol):
    """Something that is chosen by name."""

    @property
    def name(self) -> str: ...


Named = TypeVar("Named", bound=HasName)


def cell_folder(folder: Path, architecture: Architecture, exporter: Exporter, kind: Kind) -> Path:
    """The folder of a cell."""
    return folder / architecture.name / slug(exporter.name) / slug(kind.name)


def is_made(cell: Path, exporter: Exporter) -> bool:
    """Whether the cell exists and was made with the installed version of the exporter."""
    about = cell / "about.json"
    return about.exists() and read_json(about)["versions"] == exporter.versions()


def prepare_apart(folder: Path, architecture: Architecture, exporter: Exporter, kinds: list[Kind], limit: int) -> None:
    """Make missing cells in separate processes; if one dies or takes too long, that becomes the cell's result."""

    def missing() -> list[Kind]:
        return [kind for kind in kinds if not is_made(cell_folder(folder, architecture, exporter, kind), exporter)]

    while wanted := missing():
        names = [kind.name for kind in wanted]
        process = PROCESSES.Process(target=prepare, args=(folder, architecture.name, exporter.name, names))
        process.start()
        process.join(limit)
        late = process.is_alive()
        process.kill()
        process.join()
        if (process.exitcode or 0) > 0:
            raise UserError(f"{architecture.name} by {exporter.name}: no cells were made (see above)")
        why = f"ran for more than {limit} s" if late else f"died of signal {-(process.exitcode or 0)}"
        if undone := missing()[:1]:
            with whole_folder(cell_folder(folder, architecture, exporter, undone[0])) as target:
                write_json(target / "about.json", {"refused": f"the exporter {why}", "versions": exporter.versions()})


def chosen(names: Sequence[str] | None, all_of: Sequence[Named], what: str) -> list[Named]:
    """The entries of ``all_of`` with the given names, or all."""
    known = {entry.name: entry for entry in all_of}
    if unknown := sorted(set(names or ()) - set(known)):
        raise UserError(f"there is no {what} {unknown[0]!r}, only {', '.join(known)}")
    return [entry for name, entry in known.items() if not names or name in names]


def result_of(cell: Path) -> dict[str, Any] | None:
    """A cell's result, if it comes from the current build of the engine."""
    file = cell / "result.json"
    result = read_json(file) if file.exists() else None
    return result if result and result["engine"] == engine_hash() else None


def run(args: argparse.Namespace) -> None:
    """Continue where the last run stopped, and write the table of all results."""
    PROCESSES.set_forkserver_preload(LOADED)
    kinds = chosen(args.kinds, KINDS, "kind of file")
    exporters = [entry for entry in chosen(args.exporters, EXPORTERS, "exporter") if entry.versions()]
    architectures = chosen(args.architectures, ARCHITECTURES, "architecture")
    for exporter, architecture, kind in tqdm(list(product(exporters, architectures, kinds))):
        prepare_apart(args.folder, architecture, exporter, kinds, args.limit)
        cell = cell_folder(args.folder, architecture, exporter, kind)
        if result_of(cell) is None:
            built = engine_hash()
            write_json(cell / "result.json", {**asdict(run_cell(cell)), "engine": built})
    results: Results = {}
    for architecture, exporter, kind in product(ARCHITECTURES, EXPORTERS, KINDS):
        if result := result_of(cell_folder(args.folder, architecture, exporter, kind)):
            results[architecture.name, exporter.name, kind.name] = result
    out = args.out or ROOT / "docs/compatibility.md"
    with whole_file(out) as file:
        file.write_text(document(results), encoding="utf-8")
    print(f"wrote {out}")
