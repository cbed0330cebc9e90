"""Job coverage as a table of the report."""

from pytest_jobs.insight.coverage.cases import Case
from pytest_jobs.insight.coverage.coverage import CoveredCase, CoveredJob, JobCoverage
from pytest_jobs.insight.report.covered import coverage_table
from pytest_jobs.insight.report.data import Cell


def covered(*cases):
    return [CoveredCase(Case(kind, text, 1), count) for kind, text, count in cases]


PAY = CoveredJob(
    "shop.pay",
    "core",
    "shop.py",
    3,
    covered(
        ("enqueued", "enqueued", 2),
        ("performed", "performed", 0),
        ("retried", "retry_on Timeout", 1),
        ("rescued", "rescue_from OSError", 0),
        ("callback", "before_perform check", 1),
        ("callback", "after_perform log", 1),
        ("explored", "check_idempotent", 1),
    ),
    histories=["twice", "crash"],
    points=9,
)
MAIL = CoveredJob("shop.mail", "core", "shop.py", 9, covered(("enqueued", "enqueued", 1)))
TABLE = coverage_table(JobCoverage([PAY, MAIL]))


def test_a_column_is_shown_where_a_job_has_cases_for_it():
    assert TABLE.header == [
        "job",
        "enqueued",
        "performed",
        "retried",
        "callbacks",
        "idempotency",
    ]


def test_a_cell_says_what_was_seen_and_what_is_missing():
    [(name, cells), (other, others)] = TABLE.rows

    assert (name, other) == ("shop.pay", "shop.mail")
    assert cells == [
        Cell("yes", "ok"),
        Cell("never", "bad"),
        Cell("1 of 2", "bad", ("rescue_from OSError",)),
        Cell("2 of 2", "ok"),
        Cell("2 histories, 9 points", "ok"),
    ]
    assert [cell.text for cell in others] == ["yes", "-", "-", "-", "-"]


def test_the_summary_is_that_of_the_terminal():
    assert TABLE.summary == "6 of 8 cases of 2 jobs were seen: 75.0 %."
    empty = "0 jobs were found in this project, so nothing was measured."
    assert coverage_table(JobCoverage([])).summary == empty
