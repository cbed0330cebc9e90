"""`pytest --help` lists every option of ours, each with a sentence."""

import re

import pytest

from pytest_jobs.assertions.options import OPTIONS


@pytest.fixture
def shown(pytester, monkeypatch):
    """Return what the help says, with each option in one line."""
    monkeypatch.setenv("COLUMNS", "1000")
    return pytester.runpytest("--help").stdout.str()


def test_the_group_has_every_flag_with_one_sentence(shown):
    group = shown.split("background jobs:\n")[1].split("\n\n")[0]
    sentences = dict(re.findall(r"^  (--jobs[\w-]*)(?:[= ][A-Z]+)?\s+(\S.*)$", group, re.MULTILINE))

    assert set(sentences) == {option.flag for option in OPTIONS if option.flag}
    assert [text for text in sentences.values() if not re.fullmatch(r"[A-Z].+[^.]\.", text)] == []
    assert [text for text in sentences.values() if ". " in text] == []


def test_the_ini_file_has_every_option_with_one_sentence(shown):
    ini = dict(re.findall(r"^  (jobs_\w+) \(\w+\):?\s+(\S.*)$", shown, re.MULTILINE))

    assert set(ini) == {option.ini for option in OPTIONS if option.ini}
