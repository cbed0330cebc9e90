"""Every case that the tests of the Ruby libraries put is answered: by a test, or by a row of the differences.

A case is one thing that a library's own tests expect. `cases.md` names the tests of ours that assert it; one
that is asserted nowhere else is a test here, with its id in the name, as in
`test_m2_the_same_job_enqueued_twice_counts_twice`. What is answered by no test is named by its id in
`docs/explanation/differences.md`.
"""

import ast
import re
from pathlib import Path

import pytest
from case_tables import TESTS, functions_of, is_there, rows, skips
from tables import each_row

FOLDER = Path(__file__).parent
#: Where the cases of locks and limits are, beside the other tests of these patterns.
PATTERNS = TESTS / "patterns"
DIFFERENCES = TESTS.parent / "docs" / "explanation" / "differences.md"
TABLE = FOLDER / "cases.md"

#: Of each group the ids of its cases; numbers that are left out stand for nothing.
CASES = {
    # ActiveJob: enqueue assertions, looking for one job, performing
    "E": "E1 E2 E4 E5 E7 E8 E10 E11 E12",
    "W": "W1 W2 W3 W4 W5 W6 W8 W9 W10 W11 W12 W14 W15 W17",
    "P": (
        "P1 P2 P3 P4 P5 P6 P7 P8 P11 P12 P13 P14 P15 P16 P17 P18 P20 P21 P22 P23 P24 P25 P26 P27 P28 P29 P30"
    ),
    # ActiveJob: rules for errors, callbacks, queueing, serialisation, logging
    "R": "R3 R4 R6 R7 R8 R9 R10 R13 R14 R15 R16 R18 R19 R20 R21 R22 R23 R24 R25 R26",
    "C": "C1 C2 C4 C5 C6 C7 C8",
    "Q": "Q3 Q4 Q5 Q6 Q7 Q9",
    "S": "S1 S2 S3 S5 S6 S8 S9 S10 S11 S12",
    "L": "L1",
    # The matchers of rspec-rails
    "M": "M1 M2 M4 M6 M7 M8 M9 M11 M12 M14 M15",
    # Sidekiq and rspec-sidekiq
    "D": "D1 D2 D3 D4 D5 D6 D7 D8 D10 D11 D12 D14 D15 D16",
    # Current attributes and the GlobalID locator
    "X": "X1 X3",
    # sidekiq-unique-jobs, and concurrency and recurring tasks of Solid Queue
    "U": "U1 U2 U3 U4 U5 U6 U7 U8 U9 U11",
    "V": "V1 V2 V3 V5 V6 V7 V8 V9 V10 V11 V12 V13 V14 V16",
}

_LEADING_IDS = re.compile(r"test_((?:[a-z]\d+_)+)")


def answered_by_tests(*folders):
    """Return the ids in the names of the tests of some folders."""
    names = [
        name
        for folder in folders
        for path in folder.glob("test_*.py")
        for name in functions_of(path)
    ]
    found = (_LEADING_IDS.match(name) for name in names)
    return {case.upper() for match in found if match for case in match[1].split("_") if case}


def named_by_page(text):
    """Return the ids that a page names."""
    return set(re.findall(r"\b[A-Z]\d+\b", text))


def unanswered(cases, folders, table, page):
    """Return the ids of cases that no test answers and no page names."""
    answered = answered_by_tests(*folders) | rows(table).keys() | named_by_page(page)
    return [case for case in cases.split() if case not in answered]


@each_row("group", CASES)
def test_every_case_of_the_group_is_answered(group):
    table, page = TABLE.read_text("utf-8"), DIFFERENCES.read_text("utf-8")
    left_out = unanswered(CASES[group], (FOLDER, PATTERNS), table, page)

    assert not left_out, f"no test answers {', '.join(left_out)}, and {DIFFERENCES.name} names none"


def test_every_test_that_the_table_names_exists_and_runs():
    named = [test for tests in rows(TABLE.read_text("utf-8")).values() for test in tests]

    assert len(named) > 250
    assert [test for test in named if not is_there(test)] == []


def test_every_row_of_the_table_is_understood():
    text = TABLE.read_text("utf-8")
    cases = re.findall(r"^\| ([A-Z]\d+) \|", text, re.MULTILINE)

    assert len(cases) == text.count("\n| ") - text.count("\n| case |")
    assert rows(text).keys() == set(cases)


def test_no_test_answers_a_case_that_does_not_exist():
    known = {case for cases in CASES.values() for case in cases.split()}

    assert answered_by_tests(FOLDER, PATTERNS) <= known
    assert rows(TABLE.read_text("utf-8")).keys() <= known


def test_no_case_is_skipped():
    cases = [
        node
        for folder in (FOLDER, PATTERNS)
        for path in folder.glob("test_*.py")
        for name, node in functions_of(path).items()
        if _LEADING_IDS.match(name)
    ]

    assert len(cases) > 30
    assert [node.name for node in cases if skips(ast.walk(node))] == []


def test_a_case_that_nothing_answers_is_found(tmp_path):
    (tmp_path / "test_some.py").write_text(
        "def test_e1_e22_two_cases():\n    pass\nasync def test_e3_awaited():\n    pass\n"
        "def helper_e4_of_tests():\n    pass\nclass TestAll:\n    def test_e6_a_method(self): ...\n"
    )
    page = "| theirs | ours <!-- E5, QE8 --> |\n"
    table = "| E7 | it counts | core/test_a.py::test_it |\n| E9 | without a place |\n"

    assert unanswered("E1 E2 E3 E4 E5 E6 E7 E8 E9 E22", [tmp_path], table, page) == [
        *("E2", "E4", "E8", "E9")
    ]


@pytest.mark.parametrize(
    ("named", "there"),
    [
        ("test_a.py::test_it", True),
        ("test_a.py", True),
        ("test_a.py::test_skipped", False),
        ("test_a.py::test_gone", False),
        ("test_b.py::test_it", False),
        ("test_b.py", False),
    ],
)
def test_a_test_that_is_gone_or_skipped_is_found(tmp_path, named, there):
    (tmp_path / "test_a.py").write_text(
        "def test_it(): ...\n@pytest.mark.skipif(True)\ndef test_skipped(): ...\n"
    )

    assert is_there(named, tmp_path) == there
