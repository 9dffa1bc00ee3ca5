"""Checks which rooms of the repository's Python may import from which, and that there are no import cycles.

A room is a folder in gander_training, or a file next to these; every other package is one room.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("training/src", *(f"python/{name}/src" for name in ("gander-trace", "gander-routing", "gander-serve")))

# What each room of gander_training may use.
COMMON = {"files", "quiet", "gander_routing"}
ROOMS = {
    "corpora": set[str](),
    "texts": set[str](),
    "fitting": set[str](),
    "bases": {"fitting", "texts"},
    "experts": {"bases", "fitting", "texts"},
    "gates": {"bases", "experts", "fitting", "texts"},
    "pairs": {"experts", "fitting", "gates", "texts"},
    "pools": {"bases", "experts", "gates", "pairs", "texts"},
    "imports": {"bases", "gates", "pools"},
    "tiny": {"gates", "imports", "texts"},
    "reference": {"texts", "tiny"},
    "compatibility": {"bases", "reference", "texts", "tiny"},
    "sweep": {"compatibility", "gander_serve", "mixtures", "tiny"},
    "mixtures": {"bases", "compatibility", "corpora", "fitting", "gander_trace", "reference", "texts", "tiny"},
}
ARROWS = {
    **{room: arrows | COMMON for room, arrows in ROOMS.items()},
    "cli": set(ROOMS) - {"fitting", "tiny"} | {"gander_routing"},
    "gander_training": {"gander_routing"},
    "gander_serve": {"gander_routing", "gander_trace"},
}


def modules() -> dict[str, str]:
    """The text of every module by name; for a package, that of its __init__.py."""
    found = {}
    for source in SOURCES:
        for file in (ROOT / source).rglob("*.py"):
            parts = file.relative_to(ROOT / source).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file.read_text(encoding="utf-8")
    return found


def imported(module: str, known: Mapping[str, str]) -> Iterator[str]:
    """The modules among ``known`` that a module imports, at the top, in a function or for a type."""
    is_package = any(name.startswith(f"{module}.") for name in known)
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(known[module])):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), package)
            names = [f"{origin}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            found = name if name in known else name.rpartition(".")[0]
            if found in known:
                yield found


def room_of(module: str) -> str:
    package, _, rest = module.partition(".")
    return rest.split(".")[0] if package == "gander_training" and rest else package


def faults(known: Mapping[str, str]) -> list[str]:
    """A line for each import that no arrow allows, and one for the first cycle."""
    graph = {module: sorted(set(imported(module, known))) for module in known}
    lines = [
        f"{module} imports {other}: {room_of(module)} may not import from {room_of(other)}"
        for module, others in graph.items()
        for other in others
        if room_of(other) not in ARROWS.get(room_of(module), set()) | {room_of(module)}
    ]
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        lines.append(f"a cycle: {' <- '.join(circle.args[1])}")
    return lines


def test_imports_follow_the_arrows_and_have_no_cycle() -> None:
    assert faults(modules()) == []


def test_arrows_have_no_cycle_and_all_are_used() -> None:
    TopologicalSorter(ARROWS).prepare()
    known = modules()
    used = {(room_of(module), room_of(other)) for module in known for other in imported(module, known)}
    listed = {(room, other) for room, others in ROOMS.items() for other in others}
    assert listed - used == set()


def planted(module: str, text: str) -> list[str]:
    """The faults after ``text`` is appended to a module."""
    known = modules()
    return faults({**known, module: f"{known.get(module, '')}\n{text}\n"})


def test_a_planted_arrow_is_reported() -> None:
    told = ["gander_training.texts.planted imports gander_training.pools.pool: texts may not import from pools"]
    assert planted("gander_training.texts.planted", "from gander_training.pools.pool import check_pool") == told
    assert planted("gander_training.texts.planted", "from ..pools import pool") == told
    assert planted("gander_serve.planted", "def late():\n    import gander_training.cli") == [
        "gander_serve.planted imports gander_training.cli: gander_serve may not import from cli"
    ]


def test_a_planted_cycle_is_reported() -> None:
    for_a_type = "if TYPE_CHECKING:\n    from gander_training.bases.export import ExportOptions"
    (line,) = planted("gander_training.bases.quantise", for_a_type)
    assert line.startswith("a cycle: ") and "gander_training.bases.export" in line
