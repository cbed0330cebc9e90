"""`pytest --help` lists every option of ours, each with a sentence."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/reference/options.md"


@pytest.fixture
def shown(pytester, monkeypatch):
    """Return what the help says, with each option in one line."""
    monkeypatch.setenv("COLUMNS", "1000")
    return pytester.runpytest("--help").stdout.str()


def documented(column):
    """Return the names in a column of the table of options, which is the first of the page."""
    table = next(block for block in PAGE.read_text("utf-8").split("\n\n") if block.startswith("|"))
    names = [re.fullmatch(r" `([\w-]+)` ", row.split("|")[column]) for row in table.splitlines()]
    return [found[1] for found in names if found]


def test_the_group_has_every_flag_of_the_reference(shown):
    group = shown.split("background jobs:\n")[1].split("\n\n")[0]
    sentences = dict(re.findall(r"^  (--jobs[\w-]*)(?:[= ][A-Z]+)?\s+(\S.*)$", group, re.MULTILINE))

    assert set(sentences) == set(documented(1))
    assert [text for text in sentences.values() if not re.fullmatch(r"[A-Z].+[^.]\.", text)] == []
    assert [text for text in sentences.values() if ". " in text] == []


def test_the_ini_file_has_every_option_of_the_reference(shown):
    ini = dict(re.findall(r"^  (jobs_\w+) \(\w+\):?\s+(\S.*)$", shown, re.MULTILINE))

    assert set(ini) == set(documented(2))


def test_each_option_of_the_ini_file_has_a_flag(shown):
    ini = set(re.findall(r"^  (jobs_\w+) \(", shown, re.MULTILINE))
    flags = set(re.findall(r"^  (--jobs[\w-]*)", shown, re.MULTILINE))

    assert {f"--{name.replace('_', '-')}" for name in ini} == flags - {
        "--jobs-inline",
        "--jobs-replay",
    }
