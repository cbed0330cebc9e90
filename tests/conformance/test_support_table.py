"""The tables of what works with which library are as the bridges are.

`python tests/conformance/support_table.py` writes them anew.
"""

import pytest
from support_table import (
    LISTED,
    MATRIX,
    README,
    ROLLBACKS,
    TABLE,
    WORDS,
    with_matrix,
    with_names,
    with_rollbacks,
    with_support,
)

from pytest_jobs.bridges.libraries.known import LIBRARIES
from pytest_jobs.conformance.case import CAPABILITIES


@pytest.mark.parametrize(
    ("path", "written"),
    [
        (README, with_names),
        (TABLE, with_support),
        (MATRIX, with_matrix),
        (ROLLBACKS, with_rollbacks),
    ],
    ids=["the libraries", "what works", "capabilities", "rollbacks"],
)
def test_the_lines_of_a_page_are_as_the_bridges_are(path, written):
    page = path.read_text("utf-8")

    assert written(page) == page


def test_every_library_with_a_bridge_has_its_lines():
    bridged = {name for name, library in LIBRARIES.items() if library.is_bridged}

    assert {each.probes.partition(".")[0] for each in LISTED} - {""} == bridged
    assert [
        each.title for each in LISTED if f"]({each.page})" not in TABLE.read_text("utf-8")
    ] == []


def test_each_capability_has_a_word():
    assert WORDS.keys() == CAPABILITIES.keys()
