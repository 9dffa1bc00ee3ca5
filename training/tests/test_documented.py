"""Each ``gander-training`` command line in the documentation is one that its parser takes: command, options and values."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from gander_training.cli import _parser, main

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    page
    for folder in ("", "docs", "atlases", "training", "python/*", "models/*", "examples/*")
    for page in sorted(ROOT.glob(f"{folder}/*.md".lstrip("/")))
    if page.name != "CHANGELOG.md"  # tells of earlier names
]
FENCE = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Taken(Exception):
    """The words were parsed; nothing has run."""


@pytest.fixture(autouse=True)
def parses_only(monkeypatch: pytest.MonkeyPatch) -> None:
    parse = argparse.ArgumentParser.parse_args

    def stop(self: argparse.ArgumentParser, words: list[str]) -> None:
        parse(self, words)
        raise Taken

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)


def commands(line: str) -> Iterator[list[str]]:
    """What follows ``gander-training`` in a line of shell, which may have several commands."""
    if "gander-training" not in line:
        return
    words = shlex.shlex(line, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    command: list[str] = []
    for word in [*words, ";"]:
        if word.strip("();<>|&"):
            command.append(word)
        else:
            if command and Path(command[0]).name == "gander-training":
                yield command[1:]
            command = []


def wrong(words: list[str], capsys: pytest.CaptureFixture[str]) -> str | None:
    """What the parser says against them."""
    try:
        main(words)
    except Taken:
        return None
    except SystemExit as ended:
        return None if ended.code == 0 else capsys.readouterr().err.splitlines()[-1]
    raise AssertionError(f"{words} ran")


def whole_lines(text: str) -> list[list[str]]:
    lines = [line for block in FENCE.findall(text) for line in re.sub(r"\\\n", "", block).splitlines()]
    return [words for line in lines for words in commands(line)]


def named_in_prose(text: str) -> list[list[str]]:
    spans = re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    return [words for span in spans for words in commands(span)]


def optional(parser: argparse.ArgumentParser) -> None:
    """Prose may leave out what a command needs."""
    for action in parser._actions:
        action.required = False
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                optional(one)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_has_only_command_lines_that_exist(
    page: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page.read_text("utf-8")
    said = [(words, wrong(words, capsys)) for words in whole_lines(text)]
    made = _parser()
    optional(made)
    monkeypatch.setattr("gander_training.cli._parser", lambda: made)
    said += [(words, wrong(words, capsys)) for words in named_in_prose(text)]
    assert [one for one in said if one[1] is not None] == []


def test_the_table_of_commands_has_each_of_them() -> None:
    text = (ROOT / "training/README.md").read_text("utf-8")
    rows = re.findall(r"^\| (`.*?) \|", text.partition("\n## Commands\n")[2].partition("\n## ")[0], re.MULTILINE)
    named = [words.split()[0] for row in rows for words in re.findall(r"`([^`]+)`", row)[:1]]
    [choices] = [action.choices for action in _parser()._actions if isinstance(action, argparse._SubParsersAction)]
    assert sorted(named) == sorted(choices)


def test_modules_that_python_is_told_to_run_exist() -> None:
    named = {
        name for page in PAGES for name in re.findall(r"python -m (gander_training[\w.]*)", page.read_text("utf-8"))
    }
    assert named
    assert [name for name in sorted(named) if find_spec(name) is None] == []


def test_finds_what_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    page = "\n".join(
        [
            "```sh",
            "cd x && .venv/bin/gander-training exprt --out y",
            "(gander-training pool check x && gander-training excerpts x --nine)  # once: both",
            "gander-training gate \\",
            "  --base x",
            "```",
            "`gander-training router`, `pip install gander-training`",
        ]
    )
    lines = whole_lines(page)
    assert lines == [
        ["exprt", "--out", "y"],
        ["pool", "check", "x"],
        ["excerpts", "x", "--nine"],
        ["gate", "--base", "x"],
    ]
    assert named_in_prose(page) == [["router"]]
    first, second, third, fourth = (wrong(words, capsys) for words in lines)
    assert first is not None and "exprt" in first
    assert second is None
    assert third is not None and "--nine" in third
    assert fourth is not None and "required" in fourth
