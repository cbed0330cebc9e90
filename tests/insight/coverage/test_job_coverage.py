"""Which cases count as seen, and how coverage is written."""

from __future__ import annotations

import json

import pytest

from pytest_jobs.insight.coverage.coverage import job_coverage
from pytest_jobs.insight.coverage.output import as_json, rows, summary, table
from pytest_jobs.insight.lint.settings import LintSettings
from pytest_jobs.insight.seen.session import (
    SeenCheck,
    SeenDelivery,
    SeenFiring,
    SeenJob,
    SeenRecord,
    SeenSession,
    SeenTest,
    SeenTimeline,
)

SOURCE = """\
from pytest_jobs import (
    Job,
    after_discard,
    after_perform,
    before_perform,
    discard_on,
    rescue_from,
    retry_on,
)
from pytest_jobs.errors import Halt


@discard_on(LookupError)
@retry_on(TimeoutError, OSError, attempts=3)
@retry_on(ConnectionError, attempts=3)
class Pay(Job):
    @before_perform
    def look(self):
        if self.args:
            raise Halt

    @after_perform
    def note(self): ...

    @after_discard
    def keep(self, error): ...

    @rescue_from(ValueError)
    def mend(self, error): ...

    def perform(self): ...


class Send(Job):
    def perform(self): ...
"""
PAY, SEND = 22, 26


class Project:
    """A project of two jobs, and what a session has seen of them."""

    def __init__(self, path, imported):
        self.path = path
        self._imported = imported
        (path / "app.py").write_text(SOURCE, "utf-8")
        self.test = SeenTest("test_app.py::test_it")

    def job(self, name="app.Pay", line=PAY, file=None, bridge="core"):
        return SeenJob(bridge, name, str(file or self.path / "app.py"), line)

    def enqueued(self, job=None, origin="enqueue", place=("", 0)):
        sequence = len(self.test.records)
        record = SeenRecord(
            sequence, job or self.job(), "Pay()", None, origin, 1, 0, None, None, None, "taken"
        )
        self.test.records.append(record._replace(file=str(place[0]), line=place[1]))
        return sequence

    def delivered(self, status, *errors, aftermath=(), asserted=False):
        one = delivery(self.enqueued(), status, *errors, aftermath=aftermath)
        self.test.deliveries.append(one._replace(asserted=asserted))

    def checked(self, *, is_whole=True, verdict=""):
        self.test.checks.append(SeenCheck(self.job(), ["twice", "crash"], is_whole, 4, verdict))

    @property
    def coverage(self):
        with self._imported([path.name for path in self.path.glob("*.py")]) as running:
            return job_coverage(SeenSession([self.test]), self.path, LintSettings(), running)

    @property
    def seen(self):
        """The cases that were seen of the first job, with how often."""
        return {case.text: case.count for case in self.coverage.jobs[0].cases if case.count}


def delivery(record, status, *errors, aftermath=()):
    error = f"{errors[0]}: no" if errors else ""
    return SeenDelivery(record, status, 0, 0, None, error, [*errors], [*aftermath])


@pytest.fixture
def project(tmp_path, imported):
    return Project(tmp_path, imported)


def test_a_job_that_no_test_touches_has_no_case(project):
    assert project.seen == {}
    assert project.coverage.percent == 0


def test_only_first_enqueues_count_as_enqueued(project):
    project.enqueued()
    project.enqueued(origin="retry")
    project.enqueued(origin="redelivery")

    assert project.seen == {"enqueued": 1}


def test_a_delivery_that_succeeds_shows_the_callbacks_around_it(project):
    project.delivered("performed")

    assert project.seen == {
        "enqueued": 1,
        "performed": 1,
        "before_perform look": 1,
        "after_perform note": 1,
    }


@pytest.mark.parametrize(
    ("errors", "rule"),
    [
        (["TimeoutError", "OSError", "Exception"], "retry_on TimeoutError, OSError"),
        (["ConnectionError", "OSError", "Exception"], "retry_on ConnectionError"),
        (["PermissionError", "OSError", "Exception"], "retry_on TimeoutError, OSError"),
    ],
)
def test_a_retry_shows_the_rule_whose_error_is_nearest(project, errors, rule):
    project.delivered("retried", *errors)

    assert [text for text in project.seen if text.startswith("retry_on")] == [rule]


def test_an_exhausted_delivery_shows_its_rule_and_what_ran_after_it(project):
    project.delivered("exhausted", "TimeoutError", "OSError", aftermath=["keep"])

    assert project.seen == {
        "enqueued": 1,
        "exhausted TimeoutError, OSError": 1,
        "before_perform look": 1,
        "after_discard keep": 1,
    }


def test_a_discarded_a_rescued_and_a_halted_delivery_show_their_cases(project):
    project.delivered("discarded", "KeyError", "LookupError")
    project.delivered("performed", "ValueError", "Exception")
    project.delivered("halted", "Halt")

    assert project.seen == {
        "enqueued": 3,
        "performed": 1,
        "discard_on LookupError": 1,
        "before_perform look": 3,
        "rescue_from ValueError": 1,
        "halted": 1,
    }


def test_simulated_retries_show_rules_and_not_that_the_body_ran(project):
    attempts = [delivery(1, "retried", "TimeoutError"), delivery(2, "performed")]
    project.test.timelines.append(SeenTimeline(project.job(), attempts))

    assert "performed" not in project.seen
    assert project.seen["retry_on TimeoutError, OSError"] == 1


@pytest.mark.parametrize(
    ("found", "safety"),
    [
        ({}, "explored at 4 points"),
        ({"is_whole": False}, "partly, at 4 points"),
        ({"verdict": "DUPLICATE"}, "DUPLICATE"),
    ],
)
def test_a_check_counts_as_an_asserted_delivery_and_has_a_number_of_its_own(project, found, safety):
    project.checked(**found)
    pay, send = rows(project.coverage)

    assert project.seen == {"performed": 1, "asserted": 1}
    assert project.coverage.jobs[0].histories == ["twice", "crash"]
    assert (pay.safety, send.safety) == (safety, "not explored")


def test_a_finding_that_a_green_test_has_foreseen_is_shown_unless_another_check_finds_nothing(
    project,
):
    project.test.outcome = "passed"
    project.checked(verdict="DUPLICATE")
    assert next(rows(project.coverage)).safety == "DUPLICATE"

    project.checked()
    assert next(rows(project.coverage)).safety == "explored at 4 points"

    project.test.outcome = "failed"
    assert next(rows(project.coverage)).safety == "DUPLICATE"


def test_a_delivery_is_asserted_when_the_assertions_that_follow_have_passed(project):
    project.delivered("performed", asserted=True)
    for outcome, expected in [("passed", 1), ("failed", 0), ("skipped", 0), ("", 0)]:
        project.test.outcome = outcome
        assert project.seen.get("asserted", 0) == expected

    project.test.outcome = "passed"
    project.test.deliveries[0] = project.test.deliveries[0]._replace(asserted=False)
    assert "asserted" not in project.seen


VIEWS = """\
from app import Pay, Send
wrapped = print

def sell(order):
    Pay.perform_later(
        order.id,
    )
    Pay.set(wait=3).perform_later(order.id)

def tell(job):
    job.perform_later()
    on_commit(lambda: wrapped(Send))
"""


def test_each_place_that_enqueues_is_seen_or_not(project):
    views = project.path / "views.py"
    views.write_text(VIEWS, "utf-8")
    for line in (6, 6, 12):
        # Where the source does not show an enqueue there was one, too.
        project.enqueued(place=(views, line))
    coverage = project.coverage
    pay, _ = rows(coverage)

    assert [(site.line, site.count) for site in coverage.jobs[0].sites] == [(5, 2), (8, 0), (12, 1)]
    assert [(site.line, site.function) for site in coverage.open_sites] == [(11, "tell")]
    assert pay.places == "2/3"
    assert pay.missing[-1] == "enqueued at views.py:8"
    assert "app.Pay: enqueued in views.py sell" in list(coverage.jobs[0].gaps())
    assert list(summary(coverage))[-1] == (
        "Places: 2 of 4 places that enqueue did so in a test. The job of 1 call is not known."
    )


def test_of_a_job_that_no_line_enqueued_no_place_is_called_unseen(project):
    views = project.path / "views.py"
    views.write_text(VIEWS, "utf-8")
    project.enqueued(place=(views, 6))
    project.enqueued()
    [pay, _] = rows(project.coverage)

    assert pay.places == "1/1"


def test_a_call_whose_job_the_text_does_not_say_is_known_when_a_test_makes_it(project):
    views = project.path / "views.py"
    views.write_text(VIEWS, "utf-8")
    project.enqueued(project.job("app.Send", SEND), place=(views, 11))
    coverage = project.coverage

    assert coverage.open_sites == coverage.handoffs.unresolved == []
    assert [str(site) for site in coverage.jobs[1].sites] == ["views.py:11"]


def test_a_firing_shows_the_recurring_task_of_its_key(project):
    project.path.joinpath("recurring.yml").write_text(
        "a:\n  class: app.Pay\n  schedule: every day\nb:\n  class: app.Pay\n  schedule: every day\n",
        "utf-8",
    )
    project.test.firings.append(SeenFiring("b", 0, [project.enqueued()]))

    assert project.seen == {"enqueued": 1, "recurring b": 1}


def test_a_job_that_the_source_does_not_show_counts_when_it_ran(project):
    project.path.joinpath("more.py").write_text("def bill(): ...\n", "utf-8")
    project.enqueued(project.job("bill", 1, project.path / "more.py", "rq"))
    [job] = [job for job in project.coverage.jobs if job.file == "more.py"]

    assert (job.name, job.library, job.covered, len(job.cases)) == ("bill", "rq", 1, 3)


@pytest.mark.parametrize("place", ["tests/helpers.py", "test_it.py", "site-packages/lib.py"])
def test_a_job_of_tests_and_packages_is_named_and_does_not_count(project, place):
    project.enqueued(project.job("bill", 1, project.path / place))
    coverage = project.coverage

    assert [job.name for job in coverage.jobs] == ["app.Pay", "app.Send"]
    assert coverage.left_out == ["bill"]


def test_the_table_names_what_is_missing_in_80_columns(project):
    project.delivered("performed")
    project.path.joinpath("a_module_with_a_long_name.py").write_text(
        "from pytest_jobs import job\n@job\ndef send_receipt(): ...\n", "utf-8"
    )

    assert list(table(project.coverage, everything=False)) == [
        "job                                  delivery  places  safety",
        "...send_receipt                           0/3       -  not explored",
        "    not seen: all of it",
        "app.Pay                                  4/13       -  not explored",
        "    not seen: asserted, discard_on LookupError, retry_on TimeoutError, OSError,",
        "    exhausted TimeoutError, OSError, retry_on ConnectionError, exhausted",
        "    ConnectionError, after_discard keep, rescue_from ValueError, halted",
        "app.Send                                  0/3       -  not explored",
        "    not seen: all of it",
    ]


def test_the_summary_counts_and_says_what_does_not_count(project):
    project.delivered("performed")
    project.enqueued(project.job("bill", 1, project.path / "test_it.py"))

    assert list(summary(project.coverage)) == [
        "4 of 16 cases of 2 jobs were seen: 25.0 %.",
        "Safety: checks explored 0 of 2 jobs.",
        "Not counted: 1 job of tests and of packages.",
    ]


def test_only_all_cases_are_100_percent(project):
    coverage = project.coverage
    for job in coverage.jobs:
        for case in job.cases:
            case.count = 1

    assert coverage.percent == 100.0
    coverage.jobs[0].cases[0].count = 0
    assert coverage.percent == 93.7


def test_json_has_every_case_with_its_count(project):
    project.delivered("performed")
    written = json.loads(as_json(project.coverage))

    assert (written["cases"], written["covered"]) == (16, 4)
    job = written["jobs"][1]
    assert (job["name"], job["file"], job["line"], job["found"]) == (
        "app.Send",
        "app.py",
        SEND,
        "",
    )
    assert [(case["text"], case["count"]) for case in job["cases"]] == [
        ("enqueued", 0),
        ("performed", 0),
        ("asserted", 0),
    ]
