"""What the documentation says of us beside other systems is what tests show."""

import re
from pathlib import Path

from case_tables import is_there, rows

PAGE = (Path(__file__).parents[3] / "docs" / "explanation" / "comparison.md").read_text("utf-8")
SHOWN = rows(Path(__file__).with_name("abilities.md").read_text("utf-8"))
SAID = dict(re.findall(r"^\| ([^|]+) \| \*\*([^|]+)\*\* \|", PAGE, re.MULTILINE))


def test_whatever_has_a_test_is_said_and_what_has_none_is_a_no():
    noes = {ability for ability, ours in SAID.items() if ours.startswith("no: ")}

    assert len(SAID) > 45
    assert noes
    assert SAID.keys() - noes == SHOWN.keys()


def test_every_test_that_shows_an_ability_exists_and_runs():
    assert [test for tests in SHOWN.values() for test in tests if not is_there(test)] == []


def test_every_row_has_a_word_for_each_system():
    of_systems, of_tools = (
        [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| ")][1:]
        for part in PAGE.split("\n\n")
        if part.startswith("| | ")
    )
    words = {"yes", "partly", "no", "unknown"}

    assert {len(row) for row in of_systems} == {12}
    assert {word for row in of_systems for word in row[2:]} == words
    assert {len(row) for row in of_tools} == {7}
    assert {word for row in of_tools[1:] for word in row[1:]} <= words
