"""``gander-training compatibility``: make the cells, run them, write the table."""

from __future__ import annotations

import argparse
import json
import multiprocessing
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from gander_training.compatibility import engine
from gander_training.compatibility.architectures import ARCHITECTURES, Architecture
from gander_training.compatibility.exporters import EXPORTERS, Exporter
from gander_training.compatibility.kinds import KINDS, Kind
from gander_training.compatibility.prepare import prepare, slug
from gander_training.errors import UserError
from gander_training.files import read_json, whole_file, whole_folder
from gander_training.tiny import write_json

# A process that has loaded what all exporters need, from which each export is forked.
PROCESSES = multiprocessing.get_context("forkserver")
LOADED = ["gander_training.compatibility.prepare", "peft", "transformers", "optimum.exporters.onnx"]


def cell_folder(folder: Path, architecture: Architecture, exporter: Exporter, kind: Kind) -> Path:
    """Where a cell lies."""
    return folder / architecture.name / slug(exporter.name) / slug(kind.name)


def prepare_apart(folder: Path, architecture: Architecture, exporter: Exporter, kinds: list[Kind], limit: int) -> None:
    """Make what is missing in processes that may die or be ended; what one died of is the cell's answer."""
    while missing := [kind for kind in kinds if not cell_folder(folder, architecture, exporter, kind).exists()]:
        process = PROCESSES.Process(target=prepare, args=(folder, architecture.name, exporter.name, [k.name for k in missing]))
        process.start()
        process.join(limit)
        late = process.is_alive()
        process.kill()
        process.join()
        if process.exitcode == 0:
            return
        undone = next((cell for kind in missing if not (cell := cell_folder(folder, architecture, exporter, kind)).exists()), None)
        if undone is None:
            return
        with whole_folder(undone) as target:
            why = f"the exporter ran for more than {limit} s" if late else f"the exporter died ({process.exitcode})"
            write_json(target / "about.json", {"refused": why, "versions": exporter.versions()})


def chosen(names: Sequence[str] | None, all_of: list, what: str) -> list:
    """Those of ``all_of`` that were asked for by name, or all."""
    known = {entry.name: entry for entry in all_of}
    if unknown := set(names or ()) - set(known):
        raise UserError(f"no {what} is called {sorted(unknown)[0]!r}; there are: {', '.join(known)}")
    return [entry for entry in all_of if not names or entry.name in names]


def cells(args: argparse.Namespace) -> Iterator[tuple[Architecture, Exporter, Kind]]:
    """Those asked for, by exporter."""
    for exporter in chosen(args.exporters, EXPORTERS, "exporter"):
        for architecture in chosen(args.architectures, ARCHITECTURES, "architecture"):
            for kind in chosen(args.kinds, KINDS, "kind of file"):
                yield architecture, exporter, kind


def result_of(cell: Path) -> dict | None:
    """A cell's result, if it has one of the engine as it is now."""
    file = cell / "result.json"
    result = read_json(file) if file.exists() else None
    return result if result and result["engine"] == engine.engine_hash() else None


def run(args: argparse.Namespace) -> None:
    """Go on where the last run stopped, and write the table of all that is known."""
    PROCESSES.set_forkserver_preload(LOADED)
    kinds = chosen(args.kinds, KINDS, "kind of file")
    wanted = list(cells(args))
    installed = [entry for entry in wanted if entry[1].versions()]
    for architecture, exporter, kind in tqdm(installed):
        cell = cell_folder(args.folder, architecture, exporter, kind)
        if not cell.exists():
            prepare_apart(args.folder, architecture, exporter, kinds, args.limit)
        if not result_of(cell):
            result = engine.run_cell(cell)
            result.engine = engine.engine_hash()
            with whole_file(cell / "result.json") as file:
                file.write_text(json.dumps(result.header(), indent=1))
