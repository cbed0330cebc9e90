"""Each sentence about what a check proves has a test."""

from __future__ import annotations

import re
from pathlib import Path

from tables import each_row

_HERE = Path(__file__).parent
_PAGE = _HERE.parent.parent / "docs" / "explanation" / "what-is-proved.md"
_ROW = re.compile(r"^\| (?P<claim>.+) \| (?P<test>.+) \|$")
_TEST = re.compile(r"^`(?P<file>\w+\.py)::(?P<name>\w+)`$")


def _rows():
    for line in _PAGE.read_text().splitlines():
        row = _ROW.match(line)
        if row is not None and row["test"] not in ("test", "---"):
            yield row["claim"], row["test"]


@each_row(("claim", "named"), list(_rows()))
def test_a_sentence_names_a_test_that_there_is(claim, named):
    test = _TEST.match(named)

    assert test is not None, f"{claim!r} names no test"
    # The modules of tests have names of their own.
    [file] = _HERE.parent.rglob(test["file"])
    written = file.read_text()
    assert f"def {test['name']}(" in written


def test_the_page_has_sentences():
    assert len(list(_rows())) > 20
