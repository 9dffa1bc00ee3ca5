"""The committed recipe, and selection and archive reading on fixtures made here. No network."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from gander_training.corpora.archives import read_members
from gander_training.corpora.command import find_leaks, main
from gander_training.corpora.documents import Document, write_jsonl
from gander_training.corpora.excerpts import write_excerpts
from gander_training.corpora.fetch import _FETCHERS, _run, fetch
from gander_training.corpora.recipe import (
    DEFAULT_RECIPE,
    HELDOUT,
    SPLITS,
    CorpusError,
    Limits,
    Package,
    Recipe,
    check_splits,
    is_permissive,
    load_recipe,
)
from gander_training.corpora.selection import choose, clean_text, cut_text, glob_matcher, read_package

LIMITS = Limits(total=1_000, document=100, minimum=10)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe()


def make_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def make_package(**values: object) -> Package:
    base = {"corpus": "python", "ecosystem": "npm", "name": "a", "version": "1", "licence": "MIT", "split": "train"}
    return Package(**{**base, "files": ("*.py",), **values})  # type: ignore[arg-type]


def write_recipe(path: Path, domain: str) -> Path:
    limits = "".join(f"[limits.{s}]\ntotal = 10000\ndocument = 100\nminimum = 5\n" for s in SPLITS)
    path.write_text(f"{limits}[limits.heldout]\ntotal = 10\ndocument = 100\nminimum = 5\n{domain}")
    return path


def test_recipe_has_twelve_domains_with_every_split_and_four_packages_to_train_on(recipe: Recipe) -> None:
    assert len(recipe.domains) == 12
    for domain in recipe.domains:
        by_split = {s: [p for p in recipe.packages if (p.corpus, p.split) == (domain, s)] for s in SPLITS}
        assert len(by_split["train"]) >= 4, domain
        assert len(by_split["validation"]) >= 1, domain
        assert len(by_split["test"]) >= 2, domain


def test_recipe_has_eight_held_out_kinds_of_several_packages(recipe: Recipe) -> None:
    assert len(recipe.kinds) >= 8
    assert not set(recipe.kinds) & set(recipe.domains)
    limits = recipe.limits[HELDOUT]
    for kind in recipe.kinds:
        count = sum(p.corpus == kind for p in recipe.packages)
        assert count * limits.per_package >= 30, kind


def test_every_licence_is_permissive_and_every_version_pinned(recipe: Recipe) -> None:
    for package in recipe.packages:
        assert is_permissive(package.licence), package.label
        assert package.version, package.label
        assert not set(package.version) & set("^*<>= "), package.label


def test_no_package_is_in_two_splits(recipe: Recipe) -> None:
    by_split = {s: {p.key for p in recipe.packages if p.split == s} for s in (*SPLITS, HELDOUT)}
    for one, ones in by_split.items():
        for other, others in by_split.items():
            assert one == other or not ones & others, (one, other, ones & others)


ENTRY = 'ecosystem = "npm", name = "a", version = "1", licence = "MIT", split = "train", files = ["*"]'


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"MIT"', '"GPL-3.0-only"', "GPL-3.0-only"),
        ('"npm"', '"apt"', "unknown ecosystem 'apt'"),
        ('"train"', '"dev"', "unknown split 'dev'"),
        (', files = ["*"]', "", "package a"),
        ('["*"]', "[]", "no files"),
        ('version = "1", ', "", "version"),
        ("ecosystem", "eco-system", "eco-system"),
        ("ecosystem =", "ecosystem", "cannot be read"),
    ],
)
def test_a_wrong_recipe_is_reported_in_one_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in ENTRY
    domain = f"[domain.x]\npackages = [{{ {ENTRY.replace(old, new)} }}]\n"
    with pytest.raises(CorpusError, match=told) as caught:
        load_recipe(write_recipe(tmp_path / "recipe.toml", domain))
    assert "\n" not in str(caught.value)
    assert "recipe.toml" in str(caught.value)


def test_a_missing_recipe_and_one_without_limits_are_reported(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("[limits.train]\ntotal = 1\ndocument = 1\nminimum = 1\n")
    with pytest.raises(CorpusError, match=r"\[limits\] lacks heldout, test, validation"):
        load_recipe(tmp_path / "recipe.toml")
    with pytest.raises(CorpusError, match=r"none\.toml: cannot be read"):
        load_recipe(tmp_path / "none.toml")


def test_a_recipe_that_includes_another_adds_packages_and_replaces_limits(tmp_path: Path) -> None:
    entry = '{{ ecosystem = "npm", name = "{}", version = "1", licence = "MIT", split = "{}" }}'
    write_recipe(tmp_path / "recipe.toml", f'[domain.x]\nfiles = ["*.x"]\npackages = [{entry.format("a", "test")}]\n')
    more = tmp_path / "more.toml"
    limits = "[limits.train]\ntotal = 7\ndocument = 5\nminimum = 1\n"
    more.write_text(f'include = "recipe.toml"\n{limits}[domain.x]\npackages = [{entry.format("b", "train")}]\n')
    recipe = load_recipe(more)
    assert [(p.name, p.split, p.files) for p in recipe.packages] == [("a", "test", ("*.x",)), ("b", "train", ("*.x",))]
    assert recipe.limits["train"].total == 7 and recipe.limits["test"].total == 10000
    more.write_text(f'include = "recipe.toml"\n[domain.x]\npackages = [{entry.format("a", "train")}]\n')
    with pytest.raises(CorpusError, match="npm:a is in two splits, test and train"):
        load_recipe(more)


def test_the_mixtures_recipe_does_not_train_on_packages_that_the_pool_is_measured_with(recipe: Recipe) -> None:
    more = load_recipe(DEFAULT_RECIPE.with_name("moe.toml"))
    assert set(recipe.packages) < set(more.packages)
    assert {p for p in more.packages if p.split != "train"} == {p for p in recipe.packages if p.split != "train"}


def test_a_package_in_two_splits_is_refused_across_corpora_and_versions() -> None:
    train = make_package(split="train")
    for other in ("validation", "test", HELDOUT):
        with pytest.raises(CorpusError, match="npm:a is in two splits"):
            check_splits([train, make_package(corpus="other", split=other, version="2")], Path("r"))
    with pytest.raises(CorpusError, match="listed twice"):
        check_splits([train, train], Path("r"))


@pytest.mark.parametrize(
    ("licence", "permissive"),
    [
        ("MIT", True),
        ("MIT OR GPL-2.0-only", True),
        ("MIT AND GPL-2.0-only", False),
        ("GPL-2.0-only", False),
        ("", False),
    ],
)
def test_is_permissive(licence: str, permissive: bool) -> None:
    assert is_permissive(licence) is permissive


@pytest.mark.parametrize("name", ["../evil.py", "a/../../evil.py", "/etc/evil.py", "..\\evil.py"])
def test_a_member_that_leaves_the_archive_is_refused(tmp_path: Path, name: str) -> None:
    packed = make_tar(tmp_path / "p.tgz", {name: b"x = 1\n"})
    with pytest.raises(CorpusError, match=r"p\.tgz: unsafe member"):
        list(read_members(packed, lambda _: True, 100))
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as pack:
        pack.writestr(name, "x = 1\n")
    with pytest.raises(CorpusError, match=r"p\.zip: unsafe member"):
        list(read_members(tmp_path / "p.zip", lambda _: True, 100))


def test_links_and_large_files_are_skipped(tmp_path: Path) -> None:
    packed = tmp_path / "p.tgz"
    with tarfile.open(packed, "w:gz") as tar:
        link = tarfile.TarInfo("link.py")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        for name, size in (("small.py", 10), ("large.py", 101)):
            info = tarfile.TarInfo(name)
            info.size = size
            tar.addfile(info, io.BytesIO(b"x" * size))
    assert [path for path, _ in read_members(packed, lambda _: True, 100)] == ["small.py"]


def test_a_damaged_archive_is_reported_by_name(tmp_path: Path) -> None:
    (tmp_path / "p.tgz").write_bytes(b"not an archive")
    with pytest.raises(CorpusError, match=r"p\.tgz: cannot be read"):
        list(read_members(tmp_path / "p.tgz", lambda _: True, 100))
    whole = make_tar(tmp_path / "q.tgz", {"a.py": bytes(range(256)) * 400}).read_bytes()
    (tmp_path / "q.tgz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorpusError, match=r"q\.tgz: cannot be read"):
        list(read_members(tmp_path / "q.tgz", lambda _: True, 1_000_000))


def test_glob_matcher() -> None:
    wanted = glob_matcher(["*.css", "*/bin/*"], ["*/vendor/*"])
    assert wanted("package/dist/a.css")
    assert wanted("package/bin/tool")
    assert not wanted("package/vendor/a.css")
    assert not wanted("package/dist/a.min.css")
    assert not wanted("package/a.js")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" \n\n",
        b"\xff\xfe\x00",
        b"a\0b\n",
        b"x" * 2_001,
        (b"y" * 300 + b"\n") * 5,
        b"// Code generated by a tool. DO NOT EDIT.\nx = 1\n",
        b"# Distributed under the terms of the GNU Lesser\nGeneral Public License v2\n".replace(b"\n", b" ") + b"\n",
    ],
)
def test_clean_text_rejects_files_that_nobody_wrote_by_hand(content: bytes) -> None:
    assert clean_text(content) is None


def test_clean_text_normalises_line_ends_and_edges() -> None:
    assert clean_text(b"\xef\xbb\xbf\r\nx = 1\r\ny = 2\n\n") == "x = 1\ny = 2\n"
    assert clean_text(b"<!-- generated by a tool -->\n", generated=True) == "<!-- generated by a tool -->\n"


def test_cut_text_ends_at_the_end_of_a_line_if_there_is_one() -> None:
    assert cut_text("short\n", 10) == "short\n"
    assert cut_text("one\ntwo\nthree\n", 9) == "one\ntwo\n"
    assert cut_text("x" * 20, 10) == "x" * 10


def test_read_package_selects_cuts_and_orders_reproducibly(tmp_path: Path) -> None:
    members = {f"p/{i}.py": f"value = {i}\n".encode() * (i + 1) for i in range(20)}
    forward = make_tar(tmp_path / "f.tgz", members)
    backward = make_tar(tmp_path / "b.tgz", dict(reversed(members.items())))
    documents = read_package(make_package(), forward, LIMITS)
    assert documents == read_package(make_package(), backward, LIMITS)
    assert all(10 <= len(d.text) <= 100 for d in documents)
    seven = read_package(make_package(contains=r"^value = 7$"), forward, LIMITS)
    assert [d.path for d in seven] == ["p/7.py"]


def documents_of(package: str, count: int, size: int) -> list[Document]:
    return [Document(f"{package}{i}".ljust(size, "."), package, f"{i}.py") for i in range(count)]


def test_choose_lets_no_package_dominate() -> None:
    chosen = choose([documents_of("big", 100, 50), documents_of("small", 4, 50)], Limits(1_000, 100, 1, share=0.3))
    big = sum(len(d.text) for d in chosen if d.package == "big")
    assert 300 <= big < 300 + 50
    assert sum(d.package == "small" for d in chosen) == 4


def test_choose_respects_the_limits_and_takes_each_text_once() -> None:
    many = [documents_of("a", 50, 30), documents_of("b", 50, 30)]
    assert sum(len(d.text) for d in choose(many, Limits(300, 100, 1))) == 300
    held = choose(many, Limits(10_000, 100, 1, documents=10, per_package=4))
    assert [sum(d.package == p for d in held) for p in "ab"] == [4, 4]
    assert len(choose(many, Limits(10_000, 100, 1, documents=5))) == 5
    same = [Document("same text", p, "x.py") for p in "ab"]
    assert len(choose([[same[0]], [same[1]]], Limits(300, 100, 1))) == 1
    assert choose([], Limits(300, 100, 1)) == []


DOMAIN = """
[domain.python]
files = ["*.py"]
packages = [
  { ecosystem = "npm", name = "a", version = "1", licence = "MIT", split = "train" },
  { ecosystem = "npm", name = "b", version = "1", licence = "MIT", split = "test" },
]
"""


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A client that makes an archive instead of fetching one; the list has the packages that were requested."""
    asked: list[str] = []

    def client(package: Package, work: Path) -> Path:
        asked.append(package.name)
        if package.name == "broken":
            raise CorpusError(f"{package.label}: npm failed (1): not found")
        return make_tar(work / "p.tgz", {"package/m.py": f"name = '{package.name}'\n".encode()})

    monkeypatch.setitem(_FETCHERS, "npm", client)
    return asked


def test_command_writes_splits_and_manifest_only_once(tmp_path: Path, offline: list[str]) -> None:
    command = ["--recipe", str(write_recipe(tmp_path / "r.toml", DOMAIN)), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    train = tmp_path / "out" / "python" / "train.jsonl"
    assert json.loads(train.read_text()) == {"text": "name = 'a'\n", "package": "npm:a@1", "path": "package/m.py"}
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["python/train.jsonl"]["documents"] == 1
    assert manifest["python/train.jsonl"]["text_bytes"] == len("name = 'a'\n")
    assert manifest["python/test.jsonl"]["packages"]["npm:b@1"]["licence"] == "MIT"

    before = train.stat().st_mtime_ns
    assert main(command) == 0
    assert sorted(offline) == ["a", "b"]
    assert train.stat().st_mtime_ns == before
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_a_client_that_runs_in_its_own_folder_is_told_where_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where: list[Path] = []

    def client(package: Package, work: Path) -> Path:
        where.append(work)
        return make_tar(work / "p.tgz", {})

    monkeypatch.setitem(_FETCHERS, "npm", client)
    monkeypatch.chdir(tmp_path)
    assert fetch(make_package(), Path("cache")).is_file()
    assert where[0].is_absolute()


def test_a_changed_or_missing_file_is_written_again(tmp_path: Path, offline: list[str]) -> None:
    command = ["--recipe", str(write_recipe(tmp_path / "r.toml", DOMAIN)), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    train = tmp_path / "out" / "python" / "train.jsonl"
    whole = train.read_bytes()
    train.unlink()
    assert main(command) == 0
    assert train.read_bytes() == whole
    train.write_bytes(b"")
    assert main(command) == 0
    assert train.read_bytes() == whole


def test_a_package_that_cannot_be_fetched_is_reported_and_the_rest_is_written(
    tmp_path: Path, offline: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    domain = DOMAIN.replace('name = "b"', 'name = "broken"')
    out = tmp_path / "out"
    assert main(["--recipe", str(write_recipe(tmp_path / "r.toml", domain)), "--out", str(out)]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert lines == ["error: npm:broken@1: npm failed (1): not found"]
    assert (out / "python" / "train.jsonl").exists()
    assert not (out / "python" / "test.jsonl").exists()
    assert [p.name for p in (out / "cache" / "npm").iterdir()] == ["a@1"]


def test_a_text_in_both_training_and_test_is_reported(tmp_path: Path, offline: list[str]) -> None:
    recipe_path = write_recipe(tmp_path / "r.toml", DOMAIN)
    assert main(["--recipe", str(recipe_path), "--out", str(tmp_path)]) == 0
    recipe = load_recipe(recipe_path)
    assert find_leaks(recipe, tmp_path) == []
    write_jsonl([Document("name = 'a'\n", "npm:b@1", "copy.py")], tmp_path / "python" / "test.jsonl")
    assert find_leaks(recipe, tmp_path) == ["npm:b@1: copy.py is also in the training text, from npm:a@1"]


def test_an_unknown_corpus_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe_path = write_recipe(tmp_path / "r.toml", DOMAIN)
    assert main(["--recipe", str(recipe_path), "--out", str(tmp_path), "--only", "cobol"]) == 1
    assert "unknown corpus cobol" in capsys.readouterr().err


def test_a_client_that_is_not_installed_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"npm:a@1: the client 'no-such-client' is not installed"):
        _run(make_package(), ["no-such-client"], tmp_path)


def test_excerpts_take_packages_in_turn_and_say_where_they_are_from(tmp_path: Path) -> None:
    documents = [Document("x = 1\n" * 10, package, f"{i}.py") for package in ("pypi:a@1", "pypi:b@1") for i in range(3)]
    write_jsonl(documents, tmp_path / "python/test.jsonl")
    write_jsonl([Document("<b>", "npm:c@1", "c.vue")], tmp_path / HELDOUT / "vue.jsonl")
    entry = {"packages": {name: {"licence": "MIT"} for name in ("pypi:a@1", "pypi:b@1", "npm:c@1")}}
    (tmp_path / "manifest.json").write_text(json.dumps({"all": entry}))
    assert write_excerpts(tmp_path, tmp_path / "out.jsonl", documents=3, characters=20) == 4
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["pypi:a@1/0.py", "pypi:b@1/0.py", "pypi:a@1/1.py", "npm:c@1/c.vue"]
    assert {row["text"] for row in rows[:3]} == {"x = 1\n" * 3}
    assert [row["label"] for row in rows] == ["python"] * 3 + ["vue"]
    assert {row["licence"] for row in rows} == {"MIT"}


def test_excerpts_need_corpora(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="run gander-training corpora"):
        write_excerpts(tmp_path, tmp_path / "out.jsonl", documents=3, characters=20)
