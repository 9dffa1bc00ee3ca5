"""Opens every mixture in every way, each in a process of its own with a time limit, and keeps what came of it.

A finished cell runs again only if a version or a build has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from gander_routing.errors import UserError
from gander_routing.files import read_json
from tqdm import tqdm

from gander_training.compatibility.engine import ROOT, engine_hash
from gander_training.files import whole_folder, write_json
from gander_training.sweep.families import Family, families
from gander_training.sweep.models import ids_of, load, write_model
from gander_training.sweep.truth import Unreadable, write_truth
from gander_training.sweep.ways import TRANSFORMERS, US, WAYS, Opened, Way, one_line

Stamp = dict[str, str]
PROCESSES = multiprocessing.get_context("forkserver")
# Each process is forked from one that has already loaded what takes seconds.
LOADED = [
    "torch._dynamo",
    "torch.onnx",
    "onnxscript",
    "mobius",
    "transformers.exporters",
    "transformers.models.auto.modeling_auto",
    "gander_serve.moe",
    "gander_training.sweep.ways",
]
SERVE = ROOT / "python/gander-serve/src/gander_serve"
# What a trace of a mixture depends on.
OF_MIXTURES = ("engine", "loading", "moe", "passage", "steps", "taps", "together")


def make(family: Family, folder: Path) -> None:
    """Write a family's ``model/``, and ``truth.safetensors``: what transformers computes with it."""
    with whole_folder(folder) as target:
        try:
            write_model(family, target / "model")
            write_truth(load(target / "model"), ids_of(target / "model"), target / "truth.safetensors")
        except Unreadable as error:
            write_json(target / "failed.json", {"why": str(error), "whose": US})
        except Exception as error:
            write_json(target / "failed.json", {"why": one_line(error), "whose": TRANSFORMERS})


def run_family(family: Family, folder: Path, stamps: Mapping[str, Stamp]) -> None:
    """Make a family's model if it is missing, and open it in the ways with these names; write each result."""
    torch.set_num_threads(1)
    if not is_made(folder):
        make(family, folder)
    if (folder / "failed.json").exists():
        return
    for name, current in stamps.items():
        write_result(folder, name, WAYS[name].open(folder / "model", folder / "truth.safetensors"), current)


def write_result(folder: Path, name: str, opened: Opened, current: Stamp) -> None:
    """Keep what came of one way."""
    write_json(folder / f"{name}.json", {**asdict(opened), "stamp": current})


def is_made(folder: Path) -> bool:
    """Whether a family's model was written, or known to fail."""
    return (folder / "truth.safetensors").exists() or (folder / "failed.json").exists()


def apart(limit: int, target: Callable[..., None], *args: Any) -> str | None:
    """Run something in a process of its own; returns why it did not end well."""
    process = PROCESSES.Process(target=target, args=args)
    process.start()
    process.join(limit)
    late = process.is_alive()
    process.kill()
    process.join()
    if late:
        return f"ran for more than {limit} s"
    if process.exitcode:
        return f"died of signal {-process.exitcode}" if process.exitcode < 0 else "stopped with an error of its own"
    return None


def serve_hash() -> str:
    """A hash of the files of gander-serve that read mixtures."""
    return hashlib.sha256(b"".join((SERVE / f"{name}.py").read_bytes() for name in OF_MIXTURES)).hexdigest()[:16]


def stamp(way: Way) -> Stamp:
    """What a result depends on, besides the model."""
    built = {"engine": engine_hash()} if way.runs_engine else {"gander-serve": serve_hash()}
    return {**(way.versions() or {}), **built}


def ways(names: Sequence[str] | None) -> list[Way]:
    """The installed ways with the given names, or all."""
    if unknown := sorted(set(names or ()) - set(WAYS)):
        raise UserError(f"there is no way {unknown[0]!r}, only {', '.join(WAYS)}")
    return [way for name, way in WAYS.items() if (not names or name in names) and way.versions()]


def is_current(folder: Path, name: str, current: Stamp) -> bool:
    """Whether the result of a way is there, and from the current versions."""
    file = folder / f"{name}.json"
    return file.exists() and bool(read_json(file)["stamp"] == current)


def sweep(family: Family, folder: Path, chosen: Sequence[Way], limit: int) -> None:
    """Run what is missing of a family; a process that dies or takes too long becomes the result of what it was at."""
    # Taken once, so that a build in the meantime makes nothing run for ever.
    stamps = {way.name: stamp(way) for way in chosen}

    def missing() -> dict[str, Stamp]:
        failed = (folder / "failed.json").exists()
        return {} if failed else {name: one for name, one in stamps.items() if not is_current(folder, name, one)}

    while wanted := missing():
        why = apart(limit, run_family, family, folder, wanted)
        if not is_made(folder):
            with whole_folder(folder) as target:
                write_json(target / "failed.json", {"why": f"making it {why}", "whose": TRANSFORMERS})
        elif why and (undone := next(iter(missing()), None)):
            outcome = "not exported" if WAYS[undone].runs_engine else "refused"
            write_result(folder, undone, Opened(outcome, f"the process {why}", undone), stamps[undone])


def run_all(args: argparse.Namespace) -> None:
    """Continue where the last run stopped."""
    PROCESSES.set_forkserver_preload(LOADED)
    chosen = ways(args.exporters)
    for family in tqdm(list(families())):
        if family.loaded and (not args.architectures or family.name in args.architectures):
            sweep(family, args.folder / "mixtures" / family.name, chosen, args.limit)


def results(folder: Path) -> Iterator[tuple[Family, dict[str, dict[str, Any]]]]:
    """Each family with the results that are there, by way; with the reason if it could not be made."""
    for family in families():
        own = folder / "mixtures" / family.name
        failed = own / "failed.json"
        found = {name: read_json(own / f"{name}.json") for name in WAYS if (own / f"{name}.json").exists()}
        yield replace(family, **read_json(failed)) if failed.exists() else family, found
