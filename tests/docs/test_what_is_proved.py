"""Each sentence about what a check proves, and about what it does with a store, has a test."""

from __future__ import annotations

import re
from pathlib import Path

from tables import each_row

_HERE = Path(__file__).parent
_DOCS = _HERE.parent.parent / "docs"
_PAGES = [_DOCS / "explanation" / "what-is-proved.md", _DOCS / "reference" / "worlds.md"]
_TEST = re.compile(r"^`(?P<file>\w+\.py)::(?P<name>\w+)`$")


def _rows():
    """Yield the first cell and the last one of each row of the tables whose last column is `test`."""
    for page in _PAGES:
        of_tests = False
        for line in page.read_text().splitlines():
            cells = line.strip("| ").split(" | ")
            of_tests = line.startswith("|") and (of_tests or cells[-1] == "test")
            if of_tests and cells[-1] != "test" and not line.startswith(("|---", "| ---")):
                yield cells[0], cells[-1]


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
