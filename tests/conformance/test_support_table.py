"""The tables of what works with which library are as the bridges are.

`python tests/conformance/support_table.py` writes them anew.
"""

import re
import tomllib
from functools import partial

import pytest
from support_table import (
    FIRST_PAGE,
    LISTED,
    MATRIX,
    README,
    ROLLBACKS,
    with_matrix,
    with_names,
    with_rollbacks,
)

from pytest_jobs.bridges.libraries.known import LIBRARIES


@pytest.mark.parametrize(
    ("path", "written"),
    [
        (README, partial(with_names, docs="docs/")),
        (FIRST_PAGE, with_names),
        (MATRIX, with_matrix),
        (ROLLBACKS, with_rollbacks),
    ],
    ids=["readme", "first page", "capabilities", "rollbacks"],
)
def test_the_lines_of_a_page_are_as_the_bridges_are(path, written):
    page = path.read_text("utf-8")

    assert written(page) == page


def test_every_library_with_a_bridge_has_its_lines():
    bridged = {name for name, library in LIBRARIES.items() if library.is_bridged}

    assert {each.probes.partition(".")[0] for each in LISTED} - {""} == bridged
    assert [
        each.title for each in LISTED if f"]({each.page})" not in FIRST_PAGE.read_text("utf-8")
    ] == []


def test_the_extras_ask_for_the_oldest_version_that_a_bridge_was_tested_with():
    """The doctor and a refusal print the extras, the README and the first page the probes."""
    about = tomllib.loads((README.parent / "pyproject.toml").read_text("utf-8"))
    different = []
    for each in LISTED:
        name, _, _ = each.probes.partition(".")
        # The oldest Django has no tasks, and another package has them.
        if name in ("", "django") or not each.is_installed:
            continue
        (floor,) = re.findall(
            r">=(\d+\.\d+)", about["project"]["optional-dependencies"][name.replace("_", "-")][0]
        )
        if re.findall(r"\d+\.\d+", each.versions())[0] != floor:
            different.append((name, floor, each.versions()))

    assert different == []
