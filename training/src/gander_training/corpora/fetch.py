"""Fetches packages, each with its ecosystem's ordinary client."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from gander_training.corpora.recipe import CorpusError, Package


def fetch(package: Package, cache: Path) -> Path:
    """The package's archive in ``cache``, fetched if missing. Raises ``CorpusError`` naming the package."""
    safe = re.sub(r"[^\w.@-]", "_", f"{package.name}@{package.version}")
    # Absolute, because the clients run in another folder.
    folder = cache.resolve() / package.ecosystem / safe
    found = sorted(folder.glob("*")) if folder.is_dir() else []
    if found:
        return found[0]
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".fetch-", dir=folder.parent))
    try:
        archive = _FETCHERS[package.ecosystem](package, work)
        # A separate folder, renamed when it is complete, so that an existing archive is always a whole one.
        ready = work / "ready"
        ready.mkdir()
        shutil.move(archive, ready / archive.name)
        ready.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return next(iter(sorted(folder.glob("*"))))


def _run(package: Package, command: list[str], cwd: Path) -> str:
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=900, stdin=subprocess.DEVNULL, check=False
        )
    except FileNotFoundError as error:
        raise CorpusError(f"{package.label}: the client {command[0]!r} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise CorpusError(f"{package.label}: {command[0]} did not finish in {error.timeout:.0f} s") from error
    if done.returncode != 0:
        lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
        reason = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "no output")
        raise CorpusError(f"{package.label}: {command[0]} failed ({done.returncode}): {reason}")
    return done.stdout


def _only(package: Package, folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise CorpusError(f"{package.label}: expected one {pattern} from the client, found {len(found)}")
    return found[0]


def _fetch_npm(package: Package, work: Path) -> Path:
    _run(package, ["npm", "pack", "--silent", "--ignore-scripts", f"{package.name}@{package.version}"], work)
    return _only(package, work, "*.tgz")


def _fetch_pypi(package: Package, work: Path, kind: str) -> Path:
    # Not "pip download", which runs the build backend of every sdist to find its dependencies.
    unearth = shutil.which("unearth", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    requirement = f"{package.name}=={package.version}"
    _run(package, [unearth or "unearth", kind, "--download", str(work), requirement], work)
    return _only(package, work, "*.whl" if kind == "--only-binary" else "*.[tz]*")


def _fetch_cargo(package: Package, work: Path) -> Path:
    (work / "src").mkdir()
    (work / "src" / "lib.rs").touch()
    (work / "Cargo.toml").write_text(
        '[package]\nname = "corpus-fetch"\nversion = "0.0.0"\nedition = "2021"\n\n[dependencies]\n'
        f'{package.name} = {{ version = "={package.version}", default-features = false }}\n'
    )
    _run(package, ["cargo", "fetch", "--quiet"], work)
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    found = sorted((home / "registry" / "cache").glob(f"*/{package.name}-{package.version}.crate"))
    if not found:
        raise CorpusError(f"{package.label}: cargo fetched no .crate file")
    return Path(shutil.copy(found[0], work))


def _fetch_go(package: Package, work: Path) -> Path:
    told = json.loads(_run(package, ["go", "mod", "download", "-json", f"{package.name}@{package.version}"], work))
    return Path(shutil.copy(told["Zip"], work))


def _fetch_maven(package: Package, work: Path) -> Path:
    artifact = f"{package.name}:{package.version}:jar:sources"
    _run(package, ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={work}"], work)
    return _only(package, work, "*.jar")


def _fetch_debian(package: Package, work: Path) -> Path:
    _run(package, ["apt-get", "-q", "download", f"{package.name}={package.version}"], work)
    return _only(package, work, "*.deb")


_FETCHERS: dict[str, Callable[[Package, Path], Path]] = {
    "npm": _fetch_npm,
    "pypi": partial(_fetch_pypi, kind="--no-binary"),
    "pypi-wheel": partial(_fetch_pypi, kind="--only-binary"),
    "cargo": _fetch_cargo,
    "go": _fetch_go,
    "maven": _fetch_maven,
    "debian": _fetch_debian,
}
