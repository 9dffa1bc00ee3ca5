"""Reads archives in memory: nothing is unpacked to disk, so no member can end up outside a folder."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from gander_training.corpora.recipe import CorpusError


def read_members(archive: Path, wanted: Callable[[str], bool], max_bytes: int) -> Iterator[tuple[str, bytes]]:
    """Yield (path, content) of the wanted plain files of at most ``max_bytes``, in the archive's order.

    Links and devices are skipped. Raises ``CorpusError`` for a damaged archive, and for a member whose path is absolute
    or leaves the archive.
    """
    try:
        if zipfile.is_zipfile(archive):
            yield from _read_zip(archive, wanted, max_bytes)
        elif archive.suffix == ".deb":
            yield from _read_deb(archive, wanted, max_bytes)
        else:
            with tarfile.open(archive) as tar:
                yield from _read_tar(archive, tar, wanted, max_bytes)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise CorpusError(f"{archive.name}: cannot be read: {error}") from error


def _check_member(archive: Path, name: str) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise CorpusError(f"{archive.name}: unsafe member path {name!r}")
    return str(path)


def _read_zip(archive: Path, wanted: Callable[[str], bool], max_bytes: int) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as pack:
        for member in pack.infolist():
            path = _check_member(archive, member.filename)
            if not member.is_dir() and member.file_size <= max_bytes and wanted(path):
                yield path, pack.read(member)


def _read_tar(
    archive: Path, tar: tarfile.TarFile, wanted: Callable[[str], bool], max_bytes: int
) -> Iterator[tuple[str, bytes]]:
    for member in tar:
        path = _check_member(archive, member.name)
        if member.isfile() and member.size <= max_bytes and wanted(path):
            content = tar.extractfile(member)
            if content is not None:
                yield path, content.read()


def _read_deb(archive: Path, wanted: Callable[[str], bool], max_bytes: int) -> Iterator[tuple[str, bytes]]:
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE) as process:
        with tarfile.open(fileobj=process.stdout, mode="r|") as tar:
            yield from _read_tar(archive, tar, wanted, max_bytes)
        if process.stdout:
            process.stdout.read()
    if process.returncode:
        raise CorpusError(f"{archive.name}: dpkg-deb failed ({process.returncode})")
