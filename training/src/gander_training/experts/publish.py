"""Publish an expert on the Hugging Face Hub, from where ``gander add hf:OWNER/NAME`` and the editor add it."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from gander_routing.cards import split_card
from gander_routing.errors import UserError

PROVENANCE = "provenance.json"
CARD = "README.md"
NEEDED = ("adapter_config.json", "adapter_model.safetensors")
"""What a pool reads of an expert, and what ``gander pack`` says of it (docs/pool-format.md). Nothing else is published."""
TRAVELLING = (PROVENANCE, CARD, *NEEDED, "gate.safetensors", "activation.safetensors", "examples.safetensors")

LARGEST = 2**31
"""Bytes of an expert; a file of more is no expert."""


@dataclass(frozen=True)
class Said:
    """What is said of an expert beyond its own card; what is ``None``, the card must say."""

    base_model: str | None = None
    license: str | None = None


@dataclass(frozen=True)
class Publication:
    """Files by name, as they will be on the hub."""

    repository: str
    files: Mapping[str, bytes]

    @property
    def card(self) -> str:
        return self.files[CARD].decode()


def prepare(expert: Path, repository: str, said: Said) -> Publication:
    """Read an expert's folder, or the file that ``gander pack`` made of it, and complete its card.

    Raises UserError if it is no expert, or if nobody says which base it is for or under which licence it may be used.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise UserError(f"--to: {repository!r} is not of the form OWNER/NAME")
    files = _packed(expert) if expert.is_file() else _folder(expert)
    for name in NEEDED:
        if name not in files:
            raise UserError(f"{expert}: is not an expert, it has no {name}")
    card = _card(expert, files, repository, said).encode()
    files[CARD] = card
    if PROVENANCE in files:
        provenance = _object(expert, files[PROVENANCE], PROVENANCE)
        # It says how each file was; the card is another now.
        pinned = {**provenance.get("files", {}), CARD: {"bytes": len(card), "sha256": hashlib.sha256(card).hexdigest()}}
        files[PROVENANCE] = (json.dumps({**provenance, "files": pinned}, indent=2, ensure_ascii=False) + "\n").encode()
    return Publication(repository, files)


def upload(publication: Publication, *, private: bool) -> str:
    """Put all files into the repository in one commit, and return the commit's address.

    The hub, the token and the proxy are those of huggingface_hub: HF_ENDPOINT, HF_TOKEN or its login, HTTPS_PROXY.
    Raises UserError with the hub's reason if it refuses.
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    try:
        api = HfApi()
        api.create_repo(publication.repository, private=private, exist_ok=True, token=True)
        done = api.create_commit(
            publication.repository,
            [CommitOperationAdd(path_in_repo=name, path_or_fileobj=data) for name, data in publication.files.items()],
            commit_message="Publish the expert",
            token=True,
        )
    except LocalTokenNotFoundError:
        raise UserError("the hub needs a token: set HF_TOKEN, or log in with `hf auth login`") from None
    except (HfHubHTTPError, HFValidationError, ValueError) as error:
        raise UserError(f"{publication.repository}: the hub refused: {error}") from error
    return done.commit_url


def _folder(expert: Path) -> dict[str, bytes]:
    if not expert.is_dir():
        raise UserError(f"{expert}: no such folder or file")
    if (expert / "adapter_model.bin").is_file() and not (expert / NEEDED[1]).is_file():
        raise UserError(
            f"{expert}: adapter_model.bin is a pickle, which may run code when read; save it as safetensors"
        )
    found = {name: expert / name for name in TRAVELLING if (expert / name).is_file()}
    # A link may lead to anything on this machine.
    for path in found.values():
        if path.is_symlink():
            raise UserError(f"{path}: is a link, which is not published")
    if sum(path.stat().st_size for path in found.values()) > LARGEST:
        raise UserError(f"{expert}: its files are larger than those of an expert")
    return {name: path.read_bytes() for name, path in found.items()}


def _packed(expert: Path) -> dict[str, bytes]:
    """Nothing is unpacked to the disk."""
    if expert.stat().st_size > LARGEST:
        raise UserError(f"{expert}: is larger than an expert")
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(expert, "r:") as archive:
            for member in archive:
                name = member.name.split("/")[-1]
                content = archive.extractfile(member) if member.isfile() and name in TRAVELLING else None
                if content is None:
                    raise UserError(f"{expert}: {member.name} is no file of an expert")
                files[name] = content.read()
    except tarfile.TarError as error:
        raise UserError(f"{expert}: is not a file that gander pack made: {error}") from error
    return files


def _object(expert: Path, content: bytes, name: str) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except ValueError as error:
        raise UserError(f"{expert}: {name} is not JSON") from error
    if not isinstance(value, dict):
        raise UserError(f"{expert}: {name} is not an object")
    return value


def _card(expert: Path, files: Mapping[str, bytes], repository: str, said: Said) -> str:
    """Its own card with what the hub wants to know, and with how to add the expert."""
    front, text = _split(expert, files.get(CARD, b"").decode(errors="replace"))
    config = _object(expert, files[NEEDED[0]], NEEDED[0])
    base = said.base_model or front.get("base_model") or config.get("base_model_name_or_path")
    license = said.license or front.get("license")
    if not base:
        raise UserError(f"{expert}: nothing says which base it is for; say it with --base-model OWNER/NAME")
    if not license:
        raise UserError(f"{expert}: nothing says under which licence it may be used; say it with --license")
    tags = ["lora", "gander", *(["phatgoose"] if "gate.safetensors" in files else [])]
    given = front.get("tags")
    kept = [given] if isinstance(given, str) else list(given or [])
    front = {
        **front,
        "license": license,
        "base_model": base,
        "library_name": "peft",
        "tags": [*kept, *(tag for tag in tags if tag not in kept)],
    }
    if f"hf:{repository}" not in text:
        own = text.strip() or "# " + repository.split("/")[1]
        text = f"{own}\n\n{_use(repository, 'gate.safetensors' in files)}"
    written = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{written}---\n\n{text.lstrip()}"


def _split(expert: Path, card: str) -> tuple[dict[str, Any], str]:
    written, text = split_card(card)
    try:
        front = yaml.safe_load(written or "") or {}
    except yaml.YAMLError as error:
        raise UserError(f"{expert}: the front matter of {CARD} is not YAML: {error}") from error
    if not isinstance(front, dict):
        raise UserError(f"{expert}: the front matter of {CARD} is not a mapping")
    return front, text


def _use(repository: str, has_gate: bool) -> str:
    gate = (
        "Its gate was trained as [PHATGOOSE](https://arxiv.org/abs/2402.05859) does it, so tokens are routed to it beside "
        "experts that it was never trained with."
        if has_gate
        else "It has no gate of its own: Arrow routes to it without one."
    )
    return (
        "## Use\n\n"
        f"Add it to a pool of the same base with Gander: `gander add hf:{repository}`, or **Gander: Add Expert From Hub…** "
        f"in VS Code. {gate}\n"
    )
