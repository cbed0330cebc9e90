"""The table in the documentation is the survey, and what it says of us is what tests show."""

import ast
from pathlib import Path

import pytest
from comparison import comparison_table
from survey import MARKS, ROWS, SURVEYED, SYSTEMS, Row

HERE = Path(__file__).parent
PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "comparison.md"
BEGIN, END = "<!-- begin comparison -->\n", "<!-- end comparison -->"


def names_in(name):
    tree = ast.parse((HERE / name).read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_table_in_the_documentation_is_generated():
    written = PAGE.read_text("utf-8").partition(BEGIN)[2].partition(END)[0].strip()

    made = comparison_table(ROWS)

    assert written == made, f"put this between the marks in {PAGE.name}:\n\n{made}"


def test_the_page_says_when_the_others_were_looked_at():
    assert f"{SURVEYED:%Y-%m-%d}" in PAGE.read_text("utf-8")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.ability)
def test_each_row_names_tests_that_exist_and_run(row):
    for test in row.tests:
        file, _, name = test.partition("::")
        assert name in names_in(file), f"{test} of {row.ability!r} does not exist"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.ability)
def test_each_row_has_a_mark_for_each_system(row):
    assert len(row.marks) == len(SYSTEMS)
    assert set(row.marks) <= MARKS.keys()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.ability)
def test_what_has_no_test_is_a_no(row):
    assert row.ours.startswith("no: ") == (not row.tests)


def test_a_yes_without_a_test_is_refused():
    with pytest.raises(LookupError, match="'flies' has no test, so it is no yes"):
        comparison_table([Row("flies", "n" * len(SYSTEMS))])


def test_none_of_those_tests_is_skipped_or_expected_to_fail():
    for file in {test.partition("::")[0] for row in ROWS for test in row.tests}:
        for node in ast.walk(ast.parse((HERE / file).read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                marks = " ".join(map(ast.unparse, node.decorator_list))
                assert "mark.skip" not in marks
                assert "mark.xfail" not in marks
