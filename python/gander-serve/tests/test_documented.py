"""Each ``gander-serve`` command line in the documentation is one that its parser takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from gander_serve.cli import parser

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = (".", "docs", "python/*", "training")
# The changelog tells of earlier names.
PAGES = [page for folder in FOLDERS for page in ROOT.glob(f"{folder}/*.md") if page.name != "CHANGELOG.md"]
# Alone in a line of a block, or in backticks. Two spaces, or a comment, end it.
COMMAND = re.compile(r"^gander-serve (\S.*?)(?: {2}.*| #.*)?$|`gander-serve (\S[^`\n]*)`", re.MULTILINE)


def lines_in(text: str) -> list[list[str]]:
    # Elsewhere a line that begins with the name is a sentence.
    blocks = "\n".join(re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    spans = "\n".join(re.findall(r"`gander-serve [^`\n]+`", text))
    return [shlex.split(one or two) for one, two in COMMAND.findall(f"{blocks}\n{spans}")]


def wrong(words: list[str], capsys: pytest.CaptureFixture[str]) -> str | None:
    try:
        parser().parse_args(words)
    except SystemExit as ended:
        return None if ended.code == 0 else capsys.readouterr().err.splitlines()[-1]
    return None


def test_pages_have_only_command_lines_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    found = [(page.name, words) for page in PAGES for words in lines_in(page.read_text("utf-8"))]
    assert len(found) > 6
    said = [(name, words, wrong(words, capsys)) for name, words in found]
    assert [one for one in said if one[2] is not None] == []


def test_finds_what_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    page = "gander-serve runs it\n```\ngander-serve MODEL --tokn x  # no\n```\n`gander-serve --help`, `gander-serve M --port x`"
    lines = lines_in(page)
    assert lines == [["MODEL", "--tokn", "x"], ["--help"], ["M", "--port", "x"]]
    said = [wrong(words, capsys) for words in lines]
    assert said[0] is not None and "--tokn" in said[0]
    assert said[1] is None
    assert said[2] is not None and "--port" in said[2]
