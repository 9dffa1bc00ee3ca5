"""``gander-training publish`` as a process, against a hub on this machine."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

TOKEN = "hf_only_for_the_hub"
NAME = "someone/kotlin"
WEIGHTS = bytes(range(256)) * 40


class Hub(ThreadingHTTPServer):
    """What the Hugging Face Hub's API does for an upload: repository, plan, large files, commit."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.created: list[dict] = []
        self.large: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}
        self.strangers: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, value: object, status: int = 200) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    @property
    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def do_PUT(self) -> None:
        self.server.large[self.path.split("/")[-1]] = self.body
        self.answer({})

    def do_GET(self) -> None:
        self.server.strangers.append(self.path)
        self.answer({"error": "not here"}, 404)

    def do_POST(self) -> None:
        body = self.body
        if self.path == "/api/validate-yaml":
            return self.answer({"errors": [], "warnings": []})
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer({"error": "Invalid username or password."}, 401)
        match self.path:
            case "/api/repos/create":
                self.server.created.append(json.loads(body))
                return self.answer({"url": f"{self.server.address}/{NAME}"})
            case path if path.endswith("/preupload/main"):
                asked = json.loads(body)["files"]
                mode = {True: "lfs", False: "regular"}
                plan = [
                    {
                        "path": one["path"],
                        "uploadMode": mode[one["path"].endswith(".safetensors")],
                        "shouldIgnore": False,
                    }
                    for one in asked
                ]
                return self.answer({"files": plan})
            case path if path.endswith("/info/lfs/objects/batch"):
                objects = [
                    {
                        "oid": one["oid"],
                        "size": one["size"],
                        "actions": {"upload": {"href": f"{self.server.address}/large/{one['oid']}"}},
                    }
                    for one in json.loads(body)["objects"]
                ]
                return self.answer({"transfer": "basic", "objects": objects})
            case path if path.endswith("/commit/main"):
                for line in body.splitlines():
                    entry = json.loads(line)
                    value = entry["value"]
                    if entry["key"] == "file":
                        self.server.files[value["path"]] = base64.b64decode(value["content"])
                    elif entry["key"] == "lfsFile":
                        self.server.files[value["path"]] = self.server.large[value["oid"]]
                return self.answer(
                    {"commitUrl": f"{self.server.address}/{NAME}/commit/abc", "commitOid": "abc", "success": True}
                )
        self.server.strangers.append(self.path)
        return self.answer({"error": "not here"}, 404)


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def expert(tmp_path: Path) -> Path:
    folder = tmp_path / "kotlin"
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "Some-Base"}))
    for name in ("adapter_model", "gate"):
        (folder / f"{name}.safetensors").write_bytes(WEIGHTS)
    (folder / "README.md").write_text(
        "---\nname: Kotlin\nlicense: mit\ntags: [code]\n---\n\n# Kotlin\n\nKotlin sources.\n"
    )
    (folder / "notes.txt").write_text("not for others")
    return folder


def publish(
    *args: object, hub: Hub | None = None, token: str | None = TOKEN, home: Path
) -> subprocess.CompletedProcess:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    env |= {"HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1"}
    env |= {"HF_ENDPOINT": hub.address if hub else "http://127.0.0.1:9"} | ({"HF_TOKEN": token} if token else {})
    source = Path(__file__).resolve().parents[1] / "src"
    env["PYTHONPATH"] = os.pathsep.join([str(source), str(source.parents[1] / "python/gander-routing/src")])
    command = [sys.executable, "-m", "gander_training.cli", "publish", *map(str, args), "--to", NAME]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=600, check=False)


def front_of(card: str) -> dict:
    return yaml.safe_load(card.split("---")[1])


def test_without_upload_nothing_is_sent_and_what_would_be_is_shown(expert: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in expert.iterdir()}
    # Nobody listens at the hub's address.
    done = publish(expert, home=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert front_of(done.stdout) == {
        "name": "Kotlin",
        "license": "mit",
        "tags": ["code", "lora", "gander", "phatgoose"],
        "base_model": "Some-Base",
        "library_name": "peft",
    }
    assert f"gander add hf:{NAME}" in done.stdout
    assert "gate.safetensors: 10,240 bytes" in done.stdout
    assert "notes.txt" not in done.stdout
    assert "Nothing was sent." in done.stdout
    assert {path.name: path.read_bytes() for path in expert.iterdir()} == before


def test_an_expert_is_published_whole_and_nothing_else(expert: Path, hub: Hub, tmp_path: Path) -> None:
    done = publish(expert, "--upload", "--private", "--base-model", "maker/Some-Base", hub=hub, home=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"{hub.address}/{NAME}/commit/abc\n"), done.stderr
    (created,) = hub.created
    assert (created["name"], created["organization"]) == ("kotlin", "someone")
    # Versions of the hub's library say it differently.
    assert created.get("private") is True or created.get("visibility") == "private"
    assert sorted(hub.files) == ["README.md", "adapter_config.json", "adapter_model.safetensors", "gate.safetensors"]
    assert hub.files["gate.safetensors"] == WEIGHTS
    assert front_of(hub.files["README.md"].decode())["base_model"] == "maker/Some-Base"
    assert hub.strangers == []


def test_a_packed_expert_keeps_its_provenance_which_says_how_its_card_is_now(hub: Hub, tmp_path: Path) -> None:
    card = b"---\nlicense: mit\nbase_model: Some-Base\n---\n"
    pinned = {"README.md": {"bytes": len(card), "sha256": hashlib.sha256(card).hexdigest()}}
    provenance = {"format": "gander-expert", "version": 1, "base": {"name": "Some-Base"}, "files": pinned}
    packed = tmp_path / "kotlin.tar"
    with tarfile.open(packed, "w") as archive:
        for name, content in {
            "provenance.json": json.dumps(provenance).encode(),
            "README.md": card,
            "adapter_config.json": b"{}",
            "adapter_model.safetensors": WEIGHTS,
        }.items():
            entry = tarfile.TarInfo(f"kotlin/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    done = publish(packed, "--upload", hub=hub, home=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(hub.files["provenance.json"])
    published = hub.files["README.md"]
    assert said["files"]["README.md"] == {"bytes": len(published), "sha256": hashlib.sha256(published).hexdigest()}
    assert said["base"] == provenance["base"]
    assert "Arrow routes to it" in published.decode()


def test_the_hub_refuses_a_wrong_token_and_needs_one(expert: Path, hub: Hub, tmp_path: Path) -> None:
    wrong = publish(expert, "--upload", hub=hub, token="hf_wrong", home=tmp_path)
    assert wrong.returncode == 1
    assert "the hub refused" in wrong.stderr
    assert "hf_wrong" not in wrong.stderr
    none = publish(expert, "--upload", hub=hub, token=None, home=tmp_path)
    assert none.returncode == 1
    assert "HF_TOKEN" in none.stderr
    assert hub.files == {}


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda folder: (folder / "adapter_model.safetensors").unlink(), "it has no adapter_model.safetensors"),
        (
            lambda folder: (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin"),
            "adapter_model.bin is a pickle",
        ),
        (lambda folder: (folder / "README.md").unlink(), "under which licence"),
        (lambda folder: (folder / "adapter_config.json").write_text("[]"), "adapter_config.json is not an object"),
        (lambda folder: (folder / "README.md").write_text("---\na: [\n---\n"), "is not YAML"),
        (
            lambda folder: (
                (folder / "gate.safetensors").unlink() or (folder / "gate.safetensors").symlink_to("/etc/hosts")
            ),
            "is a link",
        ),
    ],
)
def test_what_is_no_expert_is_refused_in_one_line(spoil, why: str, expert: Path, tmp_path: Path) -> None:  # noqa: ANN001
    spoil(expert)
    done = publish(expert, "--upload", home=tmp_path)
    assert done.returncode == 1
    assert why in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_packed_file_of_something_else_is_refused(tmp_path: Path) -> None:
    packed = tmp_path / "other.tar"
    with tarfile.open(packed, "w") as archive:
        archive.addfile(tarfile.TarInfo("kotlin/run.py"), io.BytesIO())
    assert "run.py is no file of an expert" in publish(packed, home=tmp_path).stderr
