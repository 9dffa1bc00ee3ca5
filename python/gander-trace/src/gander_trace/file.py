"""A trace as a file: safetensors with a JSON header in its metadata (docs/trace-format.md)."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import fields
from os import PathLike
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, TypeVar, cast

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as as_bytes

from gander_trace.columns import BLOCK, SEQUENCE, Array, Column
from gander_trace.errors import TraceError
from gander_trace.parts import Block, Content, Expert, ExpertSet, Router, Sequence, Site, Source
from gander_trace.version1 import read_version1

VERSION = 2
KEY = "gander-trace"
MOST = {"tokens": 32_768, "modules": 4096, "experts": 1024}
MOST_BYTES = 512 * 2**20
MOST_HEADER = 8 * 2**20

Json = dict[str, Any]
T = TypeVar("T")


def _known(**fields: Any) -> Json:
    """Drops the fields that are None."""
    return {name: value for name, value in fields.items() if value is not None}


def save(trace: Content, file: str | PathLike[str]) -> None:
    data, path = to_bytes(trace), Path(file)
    try:
        # To a temporary file first, so that an existing file stays intact until everything is written.
        with NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".part", delete=False) as beside:
            try:
                beside.write(data)
                beside.flush()
                os.fsync(beside.fileno())
                beside.close()
                os.chmod(beside.name, _mode(path))
                os.replace(beside.name, path)
            except BaseException:
                os.unlink(beside.name)
                raise
    except OSError as error:
        raise TraceError(f"{file} cannot be written: {error.strerror or error}") from error


def _mode(path: Path) -> int:
    """The mode of the existing file, or the default for new files."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def to_bytes(trace: Content) -> bytes:
    try:
        tensors, header = _checked(trace)
    except TraceError:
        raise
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
        raise TraceError(f"one of its fields has a wrong value or type: {error}") from error
    data: bytes = as_bytes(tensors, {KEY: header})
    return data


def _checked(trace: Content) -> tuple[dict[str, Array], str]:
    """The tensors and the header of the file."""
    tensors: dict[str, Array] = {}
    for i, sequence in enumerate(trace.sequences):
        _check_sequence(sequence, f"sequence {i}")
        predictions = 0 if sequence.top_ids is None else int(np.shape(sequence.top_ids)[-1])
        for column in SEQUENCE:
            shape = (sequence.count,) if column.width == "one" else (sequence.count, predictions)
            _put(tensors, f"sequence.{i}.{column.tensor}", getattr(sequence, column.tensor), column, shape)
    _check_blocks(trace)
    for i, block in enumerate(trace.blocks):
        site = trace.sites[block.first]
        of = trace.expert_sets[site.expert_set]
        widths = {"k": block.k, "experts": len(of.experts), "always_on": len(of.always_on)}
        rows, count = block.last - block.first, trace.sequences[site.sequence].count
        for column in BLOCK:
            _put(
                tensors,
                f"block.{i}.{column.tensor}",
                getattr(block, column.tensor),
                column,
                (rows, count, widths[column.width]),
            )
        _check_chosen(tensors[f"block.{i}.chosen"], len(of.experts))
    header = json.dumps(_header(trace), allow_nan=False, default=_plain)
    _check_size(trace, tensors.values(), len(json.dumps(header).encode()))
    return tensors, header


def _plain(value: Any) -> Any:
    """A numpy number as a plain one, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} cannot be written into a header")


def _header(trace: Content) -> Json:
    source, router = trace.source, trace.router
    return {
        "format": KEY,
        "version": VERSION,
        "source": _known(
            kind=source.kind,
            name=source.name,
            id=source.id,
            hash=source.hash,
            tokenizer=source.tokenizer,
            versions=dict(source.versions),
        ),
        "router": _known(
            name=router.name, k=router.k, scoring=router.scoring, params=router.params and dict(router.params)
        ),
        "interventions": [dict(one) for one in trace.interventions],
        "sequences": [
            _known(
                role=one.role,
                count=one.count,
                text=one.text,
                tokens=one.tokens and list(one.tokens),
                topTokens=one.top_tokens and [list(row) for row in one.top_tokens],
            )
            for one in trace.sequences
        ],
        "expertSets": [
            _known(scope=one.scope, experts=_experts(one.experts), alwaysOn=_experts(one.always_on) or None)
            for one in trace.expert_sets
        ],
        "sites": [
            _known(
                path=one.path,
                layer=one.layer,
                stack=one.stack,
                kind=one.kind,
                sequence=one.sequence,
                expertSet=one.expert_set,
            )
            for one in trace.sites
        ],
        "blocks": [{"from": one.first, "to": one.last, "k": one.k} for one in trace.blocks],
        "created": trace.created,
    }


def _experts(experts: Iterable[Expert]) -> list[Json]:
    return [{"id": one.id, "name": one.name} for one in experts]


def _put(tensors: dict[str, Array], name: str, given: Any, column: Column, shape: tuple[int, ...]) -> None:
    if given is None:
        return
    array = np.asarray(given)
    if array.shape != shape:
        raise TraceError(f"{name} is {array.shape}, not {shape}")
    typed = np.ascontiguousarray(array, column.type)
    if np.issubdtype(column.type, np.integer) and not np.array_equal(typed, array):
        raise TraceError(f"{name} holds numbers that do not fit {np.dtype(column.type).name}")
    tensors[name] = typed


def _check_sequence(sequence: Sequence, name: str) -> None:
    if sequence.tokens is not None and len(sequence.tokens) != sequence.count:
        raise TraceError(f"{name} has texts for {len(sequence.tokens)} tokens of {sequence.count}")
    if (sequence.top_ids is None) != (sequence.top_log_prob is None):
        raise TraceError(f"{name} has only one of top_ids and top_log_prob")
    start, end = (None if one is None else np.asarray(one) for one in (sequence.start, sequence.end))
    if start is None and end is None:
        return
    if start is None or end is None or sequence.text is None:
        raise TraceError(f"of the offsets of {name}, start, end or the text is missing")
    units = len(sequence.text.encode("utf-16-le", "surrogatepass")) // 2
    none = (start == -1) & (end == -1)
    if not np.all(none | ((0 <= start) & (start <= end) & (end <= units))):
        raise TraceError(f"a token of {name} lies outside the text")


def _check_blocks(trace: Content) -> None:
    at = 0
    for i, block in enumerate(trace.blocks):
        if block.first != at or not block.first < block.last <= len(trace.sites):
            raise TraceError(f"block {i} does not follow the one before it")
        at = block.last
        shapes = {_shape(trace, site) for site in trace.sites[block.first : block.last]}
        if len(shapes) > 1:
            raise TraceError(f"the sites of block {i} are not alike")
    if at != len(trace.sites):
        raise TraceError(f"sites from {at} on are in no block")


def _shape(trace: Content, site: Site) -> tuple[int, int, int]:
    try:
        of = trace.expert_sets[site.expert_set]
        _ = trace.sequences[site.sequence]
    except IndexError as error:
        raise TraceError(f"site {site.path} names a sequence or experts that do not exist") from error
    return site.sequence, len(of.experts), len(of.always_on)


def _check_chosen(chosen: Array, experts: int) -> None:
    if chosen.shape[2] > max(1, experts):
        raise TraceError(f"it chooses {chosen.shape[2]} of {experts} experts")
    if chosen.size and not (-1 <= int(chosen.min()) and int(chosen.max()) < experts):
        raise TraceError("a chosen expert does not exist")


def _check_size(trace: Content, tensors: Iterable[Array], header: int) -> None:
    counts = {
        "tokens": sum(one.count for one in trace.sequences),
        "modules": max(len(trace.sites), len(trace.expert_sets)),
        "experts": max((len(one.experts) for one in trace.expert_sets), default=0),
    }
    for what, count in counts.items():
        if count > MOST[what]:
            raise TraceError(f"it has {count} {what}, and at most {MOST[what]} can be shown")
    if header > MOST_HEADER or sum(one.nbytes for one in tensors) > MOST_BYTES:
        raise TraceError("it is larger than Gander can show (docs/trace-format.md)")


def load(file: str | PathLike[str]) -> Content:
    try:
        with safe_open(file, "np") as opened:
            text = (opened.metadata() or {}).get(KEY)
            if text is None:
                raise TraceError(f"{file} is a safetensors file without the entry {KEY!r}")
            header = json.loads(text)
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}
    except (SafetensorError, json.JSONDecodeError) as error:
        raise TraceError(f"{file} is not a usable trace: {error}") from error
    version = header.get("version")
    if version == 1:
        return read_version1(header, tensors)
    if version != VERSION:
        raise TraceError(f"{file} has format version {version}; this reads up to {VERSION}")
    try:
        return _read(header, tensors)
    except (KeyError, TypeError, IndexError) as error:
        raise TraceError(f"{file} is not a usable trace: its header is malformed ({error})") from error


def _columns(columns: Iterable[Column], prefix: str, tensors: Mapping[str, Array]) -> dict[str, Array | None]:
    return {column.tensor: tensors.get(f"{prefix}.{column.tensor}") for column in columns}


def _read(header: Json, tensors: Mapping[str, Array]) -> Content:
    return Content(
        source=_of(Source, header["source"]),
        router=_of(Router, header["router"]),
        interventions=header["interventions"],
        sequences=[
            Sequence(
                count=one["count"],
                role=one["role"],
                text=one.get("text"),
                tokens=one.get("tokens"),
                top_tokens=one.get("topTokens"),
                **_columns(SEQUENCE, f"sequence.{i}", tensors),
            )
            for i, one in enumerate(header["sequences"])
        ],
        expert_sets=[
            ExpertSet(one["scope"], _named(one["experts"]), _named(one.get("alwaysOn", [])))
            for one in header["expertSets"]
        ],
        sites=[
            Site(one["path"], one["layer"], one["kind"], one["sequence"], one["expertSet"], one.get("stack"))
            for one in header["sites"]
        ],
        blocks=[
            Block(first=one["from"], last=one["to"], **_block(i, tensors)) for i, one in enumerate(header["blocks"])
        ],
        created=header["created"],
    )


def _named(experts: list[Json]) -> list[Expert]:
    return [_of(Expert, one) for one in experts]


def _of(kind: type[T], said: Json) -> T:
    """Takes only the known fields, because a later Gander may write more."""
    return kind(**{one.name: said[one.name] for one in fields(cast(Any, kind)) if one.name in said})


def _block(i: int, tensors: Mapping[str, Array]) -> dict[str, Any]:
    if f"block.{i}.chosen" not in tensors:
        raise TraceError(f'the tensor "block.{i}.chosen" is missing')
    return _columns(BLOCK, f"block.{i}", tensors)
